"""The facts about models that the CLI knows and does not report agree with `models.json`."""

import json
import subprocess
from pathlib import Path

import pytest

from gateway.claude.catalog import SHIPPED
from tests.standin import StandIn, text

FACTS = json.loads(SHIPPED.read_text())
WINDOWS = {
    **{name: facts["context_window"] for name, facts in FACTS["unreported"].items()},
    **{model["id"]: model["context_window"] for model in FACTS["models"]},
}


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-4-6-20260205"])
def test_context_window_agrees_with_the_answers_of_the_cli(
    standin: StandIn, claude_path: str, tmp_path: Path, model: str
) -> None:
    standin.default(text("ok"))
    environ = {
        "HOME": str(tmp_path),
        "ANTHROPIC_BASE_URL": standin.url,
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    options = ["--output-format", "json", "--tools", "", "--setting-sources", "", "--no-session-persistence"]
    command = [claude_path, "-p", "--model", model, *options, "hi"]
    answer = subprocess.run(
        command, env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    usage = json.loads(answer.stdout)["modelUsage"][model]
    assert usage["contextWindow"] == WINDOWS[model]
