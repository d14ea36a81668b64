"""The parts of `claude-gateway demo`: a gateway of its own, and a conversation with it.

The real Claude Code CLI runs; only the model is scripted. Nothing of the user's gateway is used: the demo has its own
port, and a temporary folder for its database, its settings and the CLI's configuration.
"""

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.command_line.client import Client, NoAnswer, Refused
from gateway.command_line.server import APP, GUNICORN, read_end
from gateway.settings import Settings

MODEL = "claude-sonnet-4-5"
DUMMY_KEY = "sk-ant-dummy"  # the CLI wants one; the scripted model does not check it
WARM_PROCESSES = 2
START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_LINES = 10


class DemoFailed(Exception):
    """The demo could not start. The message says why."""


@dataclass(frozen=True)
class Answer:
    """A streamed answer with its times in seconds."""

    text: str
    first_seconds: float
    total_seconds: float
    pieces: int


@contextmanager
def run_gateway(claude: str, model_url: str, port: int) -> Iterator[Client]:
    """Run a gateway with the CLI at the path `claude` until the end of the block. Raise DemoFailed."""
    port = port or _find_free_port()
    client = Client(Settings(host="127.0.0.1", port=port), timeout=START_SECONDS)
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
        log = Path(folder, "gateway.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*GUNICORN, APP],
                cwd=folder,
                env=_environment(os.environ, folder, claude, model_url, port),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the gateway
            )
        try:
            _await_warm(client, process, log)
            yield client
        finally:
            _stop(process)


def stream_answer(client: Client, messages: list[dict[str, str]]) -> Iterator[str | Answer]:
    """Yield each piece of the answer as it arrives, and at the end the whole. Raise NoAnswer or Refused."""
    begun = time.monotonic()
    first, pieces = 0.0, []
    body = {"model": MODEL, "stream": True, "messages": messages}
    for event in client.stream("/v1/chat/completions", body):
        for choice in json.loads(event).get("choices", []) if event != "[DONE]" else ():
            if text := choice["delta"].get("content"):
                first = first or time.monotonic() - begun
                pieces.append(text)
                yield text
    yield Answer("".join(pieces), first, time.monotonic() - begun, len(pieces))


def _environment(
    environ: Mapping[str, str], folder: str, claude: str, model_url: str, port: int
) -> dict[str, str]:
    """Return the environment of the gateway. Of the user's, it has what programs need to run."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "VIRTUAL_ENV", "PYTHONPATH")
    return {
        **{name: environ[name] for name in kept if name in environ},
        "HOME": folder,
        "CLAUDE_GATEWAY_HOME": folder,
        "CLAUDE_CODE_API_ENV_FILE": os.devnull,
        "CLAUDE_BINARY_PATH": claude,
        "ANTHROPIC_BASE_URL": model_url,
        "ANTHROPIC_API_KEY": DUMMY_KEY,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WARM_PROCESSES": str(WARM_PROCESSES),
    }


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_warm(client: Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the CLI processes are ready. Raise DemoFailed with the end of the log if that fails."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/health")["claude"]["warm"] >= WARM_PROCESSES:
                return
        except (NoAnswer, Refused):
            pass  # it is still starting
        time.sleep(0.1)
    raise DemoFailed(f"The gateway did not start. The end of its log:\n{read_end(log, LOG_LINES)}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
