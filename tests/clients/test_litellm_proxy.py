"""litellm's proxy in front of the gateway, as a team has it that already uses one, with OpenAI's SDK as its client."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.agent_loops.environments import QUIET, seen_by
from tests.clients.conftest import Note
from tests.clients.installs import clean_environ, pypi_version, python_of
from tests.clients.server_program import running_program
from tests.clients.test_agent_loops import FOUND, TEXTS, model, results_in
from tests.clients.test_sdks import python_with
from tests.standin import StandIn
from tests.support.gateway import Gateway

CONFIG = """
model_list:
  - model_name: sonnet
    litellm_params:
      model: {provider}/sonnet
      api_base: {api_base}
      api_key: unused
"""


@pytest.fixture(params=["openai", "anthropic"])
def proxy(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a proxy that reaches the gateway by one of its two APIs."""
    base = f"{gateway.url}/v1" if request.param == "openai" else gateway.url
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(provider=request.param, api_base=base), "utf-8")
    command = [str(python_of("litellm_proxy").with_name("litellm")), "--config", str(config)]
    with running_program(command, clean_environ(tmp_path, **QUIET), tmp_path) as url:
        yield url


@pytest.mark.clients
@pytest.mark.timeout(900)  # the first run installs the proxy
def test_agent_loop_works_behind_litellms_proxy(
    proxy: str, standin: StandIn, request: pytest.FixtureRequest, matrix_cell: Note
) -> None:
    dialect = "messages" if "anthropic" in request.node.name else "chat"
    matrix_cell("litellm's proxy", pypi_version("litellm_proxy", "litellm"), dialect, "agent loop")
    standin.default(model)
    # For Anthropic's API, the proxy makes structured output a tool of its own, and mixes other text into it.
    plain = ["plain"] if dialect == "messages" else []
    command = [str(python_with("3.54.0")), "-m", "tests.clients.agent_loops.client_openai", proxy, *plain]
    seen = json.loads(seen_by(command))
    assert not standin.script_errors
    for loop, rounds in seen["loops"].items():
        expected = ["", "", json.dumps(FOUND)] if "report" in loop else TEXTS
        assert [answer["text"] for answer in rounds] == expected
    assert seen["parsed"] == ({} if plain else {"parse": FOUND})
    assert [len(results_in(record.body)) for record in list(standin.messages)[:3]] == [0, 2, 3]
