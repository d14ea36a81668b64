"""Programs that are servers themselves, such as a proxy in front of the gateway."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.clients.client import signal_group
from tests.support.gateway import wait_for
from tests.support.sockets import free_port, is_listening

START_SECONDS = 240


@contextmanager
def running_program(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run a server in `folder`, and yield its URL once it listens. It takes `--host` and `--port`."""
    port = free_port()
    process: subprocess.Popen[str] = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env=environ,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: is_listening(port) or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, f"{command[0]} exited before it listened on its port."
        yield f"http://127.0.0.1:{port}"
    finally:
        signal_group(process, signal.SIGKILL)
        process.wait(20)
