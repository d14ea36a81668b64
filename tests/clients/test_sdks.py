"""Three major versions of OpenAI's own SDK use the gateway."""

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

import tests.support.sdk_script
from tests.standin import StandIn, error, stream_error, text
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway
from tests.support.wide import wide_except

ENVIRONMENTS = ROOT / ".venv-sdks"
ANSWER = "Grüße aus dem Modell 🌍"
MODEL = "claude-haiku-4-5-20251001"


def python_with(version: str) -> Path:
    """Return the Python of an environment with this version of the SDK. The first test worker creates it."""
    if version == openai.__version__:
        return Path(sys.executable)
    home = ENVIRONMENTS / version
    python, complete = home / "bin/python", home / "complete"
    ENVIRONMENTS.mkdir(exist_ok=True)
    (ENVIRONMENTS / ".gitignore").write_text("*\n")
    with (ENVIRONMENTS / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(home, ignore_errors=True)
            run(sys.executable, "-m", "venv", "--without-pip", str(home))
            pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python))
            run(*pip, "install", "--quiet", "--no-compile", f"openai=={version}")
            complete.touch()
    return python


def run(*command: str) -> str:
    """Run a command and return its output. Raise AssertionError with that output if the command fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=wide_except(["1.109.1", "2.54.0", "3.54.0"], "3.54.0"))
def results(
    request: pytest.FixtureRequest, start_gateway: Callable[..., Gateway], standin: StandIn
) -> dict[str, Any]:
    """Return the results of tests.support.sdk_script with one version of the SDK."""
    standin.default(text(ANSWER))
    standin.reply(error(429), when="LIMIT")
    standin.reply(error(529), when="OVERLOADED")
    standin.reply(stream_error(after=2, reply=text("one two three", delay=0.2)), when="CUT")
    python = python_with(request.param)
    gateway = start_gateway(**NOTHING_KEPT, CLAUDE_MAX_RETRIES="1")
    found: dict[str, Any] = json.loads(
        run(str(python), "-W", "ignore", tests.support.sdk_script.__file__, gateway.url)
    )
    assert found["version"] == request.param
    return found


def test_sdk_understands_answers_streams_and_errors(results: dict[str, Any]) -> None:
    complete = {"text": ANSWER, "finish": "stop", "model": MODEL, "sums": True}
    final = {"text": ANSWER, "finish": "stop"}
    stream = {
        "text": ANSWER,
        "roles": ["assistant"],
        "finish": ["stop"],
        "ids": 1,
        "tokens": [],
        "last_has_choices": True,
    }
    sync = results["sync"]
    assert sync["completion"] == complete
    assert sync["stream"] == stream
    (tokens,) = sync["usage"]["tokens"]
    assert tokens > 0
    assert sync["usage"] == {**stream, "tokens": [tokens], "last_has_choices": False}
    assert sync["helper"] == {**final, "deltas": ANSWER}
    assert sync["raw"] == {**complete, "id": "mine-1"}
    assert sync["models"] == {"listed": True, "one": MODEL}
    assert results["async"] == {"completion": complete, "stream": stream, "helper": final, "models": True}
    assert_errors(sync)


def assert_errors(sync: dict[str, Any]) -> None:
    def status_error(name: str, status: int, code: str, param: str | None, kind: str) -> dict[str, Any]:
        expected = {"class": name, "status": status, "code": code, "param": param, "type": kind}
        return {**expected, "has_id": True}

    invalid = "invalid_request_error"
    assert sync["RateLimitError"] == status_error(
        "RateLimitError", 429, "account_limit_reached", None, "rate_limit_error"
    )
    assert sync["BadRequestError"] == status_error(
        "BadRequestError", 400, "unsupported_parameter", "logprobs", invalid
    )
    assert sync["NotFoundError"] == status_error("NotFoundError", 404, "model_not_found", "model", invalid)
    assert sync["unknown model"] == status_error(
        "BadRequestError", 400, "model_not_supported", "model", invalid
    )
    assert sync["overloaded"] == status_error("InternalServerError", 503, "overloaded", None, "server_error")
    assert sync["cut"]["class"] == "APIError"
    assert sync["cut"]["type"] == "server_error"
