"""The tool runner of Anthropic's SDK lets the gateway hold the conversation: it sends `thread` by default."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.conftest import Note
from tests.clients.installs import RUN_SECONDS, clean_environ, pypi_version, python_of, run
from tests.standin import Reply, StandIn, text, tool_calls
from tests.support.gateway import ROOT, Gateway
from tests.support.recorded import Body, process_of, system_texts_of

ROUNDS = [["text", "tool_use"], ["text", "tool_use"], ["text"]]
SCRIPT = "tests.clients.agent_loops.client_anthropic_threads"


def model(body: Body) -> Reply:
    steps = json.dumps(body["messages"]).count('"tool_result"')
    if steps == 2:
        return text("Done.")
    (tool,) = (tool["name"] for tool in body["tools"])
    return tool_calls([(tool, {"number": steps}, f"toolu_{steps}")], text="Next.")


@pytest.mark.clients
@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "not stored"])
def test_tool_runner_works_with_and_without_threads(
    start_gateway: Callable[..., Gateway],
    standin: StandIn,
    tmp_path: Path,
    matrix_cell: Note,
    is_stored: bool,
) -> None:
    version = pypi_version("anthropic_suite", "anthropic")
    matrix_cell("anthropic-python", version, "messages", "threads" if is_stored else "without threads")
    standin.default(model)
    gateway = start_gateway(STORE_RESPONSES=str(is_stored).lower())
    python = python_of("anthropic_suite")
    environ = clean_environ(tmp_path, PYTHONPATH=str(ROOT))
    seen = json.loads(run([str(python), "-m", SCRIPT, gateway.url], RUN_SECONDS, environ))
    replays = seen.pop("replays")
    assert seen == dict.fromkeys(("whole", "streamed", "async"), ROUNDS)
    assert bool(replays) is not is_stored  # without a store, the runner sends everything in each round
    records = list(standin.messages)
    assert [len(record.body["messages"]) for record in records] == [1, 3, 5] * 3
    assert len({process_of(record) for record in records}) == 3
    assert all(system_texts_of(record) == ["Be brief."] for record in records)
