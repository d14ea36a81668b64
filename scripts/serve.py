#!/usr/bin/env python3
"""Run the gateway in the background. Behind `make start-prod-bg`, `stop`, `restart`, `status` and `logs`.

The pid file is gunicorn's own; the log is what gunicorn and the app write to stdout and stderr.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from gateway.settings import Settings, SettingsError, load  # noqa: E402  the project is not installed
from scripts.client import Client, NoAnswer, Refused  # noqa: E402

GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
APP = "wsgi:app"
START_SECONDS = 60.0
RECENT_LINES = 10


class Server:
    """The gateway that a pid file tells of."""

    def __init__(self, pid_file: Path, log: Path, settings: Settings) -> None:
        self.pid_file = pid_file
        self.log = log
        self.settings = settings
        self.client = Client(settings, timeout=10)

    @property
    def pid(self) -> int | None:
        """Its process id; None when it does not run. A number that is somebody else's by now does not count."""
        try:
            pid = int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_gunicorn(pid) else None

    def start(self) -> None:
        """Start it so that it survives the shell, and wait until it answers."""
        if self.pid:
            print(f"The gateway runs already (pid {self.pid}). make restart takes up changes.")
            return
        for folder in (self.pid_file.parent, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.pid_file.unlink(missing_ok=True)
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:  # noqa: PTH123
            process = subprocess.Popen(
                [*GUNICORN, "--pid", str(self.pid_file), APP],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = await_true(lambda: process.poll() is not None or (self.pid and self._worker()))
        if process.poll() is not None or not started:
            sys.exit(f"The gateway did not start. The end of {self.log}:\n{tail(self.log, RECENT_LINES)}")
        print(f"The gateway runs at {self.client.url} (pid {self.pid}). Its log: {self.log}")
        print(self._health())

    def stop(self) -> None:
        """Stop it; running answers may finish."""
        pid = self.pid
        if pid is None:
            print("The gateway does not run.")
            return
        most = self.settings.graceful_timeout_seconds
        print(f"Stopping (pid {pid}). Running answers have up to {most} s ...", flush=True)
        os.kill(pid, signal.SIGTERM)
        # Twice: a stop waits for a restart whose old workers are not done yet.
        if not await_true(lambda: not is_gunicorn(pid), 2.0 * most + 10):
            sys.exit(f"It still runs. To cut it off: kill -INT {pid}")
        print("Stopped.")

    def restart(self) -> None:
        """New code and settings without a gap: new workers take over, those of before finish their answers."""
        pid = self.pid
        if pid is None:
            self.start()
            return
        if subprocess.run([*GUNICORN, "--check-config", APP], check=False).returncode:
            sys.exit("This would not start. The running gateway was left as it is.")
        before = children(pid)
        os.kill(pid, signal.SIGHUP)
        if not await_true(lambda: self._worker() in children(pid) - before):
            sys.exit(f"No new worker came up. The end of {self.log}:\n{tail(self.log, RECENT_LINES)}")
        print("Restarted: new workers answer, those of before finish what they have begun.")

    def status(self) -> None:
        """Say whether it runs and how it is, with the end of its log. Exits with 1 if it does not run."""
        pid = self.pid
        if pid is None:
            sys.exit(f"The gateway does not run (no process in {self.pid_file}).")
        print(f"The gateway runs: pid {pid}, {len(children(pid))} worker(s), for {ps(pid, 'etime')}.")
        print(self._health())
        if self.log.exists():
            print(f"\nThe end of {self.log}:\n{tail(self.log, RECENT_LINES)}")

    def logs(self) -> None:
        """Follow the log until Ctrl-C."""
        if not self.log.exists():
            sys.exit(f"There is no {self.log}: make start-prod-bg writes it.")
        os.execvp("tail", ["tail", "-n", "50", "-F", str(self.log)])

    def _worker(self) -> int | None:
        """The process id of the worker that answers, well or not; None when nobody does."""
        try:
            found = self.client.get("/health")
        except NoAnswer:
            return None
        except Refused as error:
            found = error.body
        return found.get("pid") if isinstance(found, dict) else None

    def _health(self) -> str:
        try:
            found = self.client.get("/health")
        except (NoAnswer, Refused) as error:
            return f"unhealthy. {error}"
        claude = found["claude"]
        turns = f"{claude['running']} answers running, {claude['queued']} waiting"
        processes = f"{claude['processes']} of {claude['max_processes']} processes"
        return f"healthy at {self.client.url}: Claude Code {found['claude_version']}, {turns}, {processes}"


def await_true(condition: Callable[[], object], seconds: float = START_SECONDS) -> bool:
    """Wait until `condition()` holds; False when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def is_gunicorn(pid: int) -> bool:
    """Whether the process runs, and is a gunicorn."""
    command = ps(pid, "args")
    return "gunicorn" in command and "<defunct>" not in command


def ps(pid: int, column: str) -> str:
    """What `ps` says of a process; "" when there is none."""
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def children(pid: int) -> set[int]:
    """A process's children."""
    command = ["ps", "-A", "-o", "pid=", "-o", "ppid="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {int(child) for child, parent in zip(listed[::2], listed[1::2], strict=True) if int(parent) == pid}


def tail(path: Path, lines: int) -> str:
    """The last lines of a file."""
    command = ["tail", "-n", str(lines), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.rstrip()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("what", choices=["start", "stop", "restart", "status", "logs"])
    parser.add_argument("--pid-file", type=Path, default=Path("data/gateway.pid"), help="(data/gateway.pid)")
    parser.add_argument("--log", type=Path, default=Path("data/gateway.log"), help="(data/gateway.log)")
    options = parser.parse_args()
    os.chdir(PROJECT)
    try:
        server = Server(options.pid_file, options.log, load())
    except SettingsError as error:
        sys.exit(str(error))
    getattr(server, options.what)()


if __name__ == "__main__":
    main()
