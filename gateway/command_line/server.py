"""Run the gateway in the background, stop it, restart it without a gap, and show its state.

gunicorn writes the pid file. The log contains the stdout and stderr of gunicorn and the app, and `log_writer.py`
rotates it.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from gateway.command_line.client import Client, NoAnswer, Refused
from gateway.command_line.ports import describe_listeners
from gateway.home import COMMAND, IS_CLONE
from gateway.settings import Settings, load_valid

HERE = Path(__file__).resolve().parent
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", str(HERE.parent / "gunicorn_conf.py")]
LOG_WRITER = HERE / "log_writer.py"
APP = "gateway.wsgi:app"
PID_FILE, LOG_FILE = Path("data/gateway.pid"), Path("data/gateway.log")
START = "make start-prod-bg" if IS_CLONE else f"{COMMAND} serve --background"
RESTART = "make restart" if IS_CLONE else f"{COMMAND} restart"
START_SECONDS = 60.0
RECENT_LINES = 10


class Server:
    """The gateway whose process id is in a pid file."""

    def __init__(self, pid_file: Path, log: Path, settings: Settings) -> None:
        self.pid_file = pid_file
        self.log = log
        self.settings = settings
        self.client = Client(settings, timeout=10)

    @property
    def pid(self) -> int | None:
        """Return the process id; None if the gateway is not running. A reused process id does not count."""
        try:
            pid = int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_gunicorn(pid) else None

    def start(self) -> None:
        """Start the gateway so that it survives the shell, and wait until it answers."""
        if self.pid:
            print(f"The gateway is already running (pid {self.pid}). To apply changes: {RESTART}")
            return
        for folder in (self.pid_file.parent, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.pid_file.unlink(missing_ok=True)
        check_port(self.settings)
        writer = self._start_log_writer()
        process = subprocess.Popen(
            [*GUNICORN, "--pid", str(self.pid_file), APP],
            stdin=subprocess.DEVNULL,
            stdout=writer.stdin,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert writer.stdin is not None
        writer.stdin.close()  # gunicorn has it now
        started = wait_until(lambda: process.poll() is not None or self._is_ready(process.pid))
        if process.poll() is not None or not started:
            if process.poll() is not None:
                writer.wait()  # until it has written the last line
            sys.exit(
                f"The gateway did not start. Last lines of {self.log}:\n{read_end(self.log, RECENT_LINES)}"
            )
        print(f"The gateway is running at {self.client.url} (pid {self.pid}). Log file: {self.log}")
        print(self._describe_health())

    def stop(self) -> None:
        """Stop the gateway. Running answers may finish."""
        pid = self.pid
        if pid is None:
            print("The gateway is not running.")
            return
        grace_seconds = self.settings.graceful_timeout_seconds
        print(f"Stopping (pid {pid}). Running answers have up to {grace_seconds} s to finish ...", flush=True)
        os.kill(pid, signal.SIGTERM)
        # Twice the time, because a stop waits for old workers of a restart that has not finished.
        if not wait_until(lambda: not is_gunicorn(pid), 2.0 * grace_seconds + 10):
            sys.exit(f"The gateway is still running. To stop it at once: kill -INT {pid}")
        print("Stopped.")

    def restart(self) -> None:
        """Apply new code and settings without a gap: new workers take over, and old workers finish their answers."""
        pid = self.pid
        if pid is None:
            self.start()
            return
        if subprocess.run([*GUNICORN, "--check-config", APP], check=False).returncode:
            sys.exit("The new code or settings do not start. The running gateway was not changed.")
        before = list_children(pid)
        os.kill(pid, signal.SIGHUP)
        if not wait_until(lambda: self._find_worker() in list_children(pid) - before):
            sys.exit(f"No new worker started. Last lines of {self.log}:\n{read_end(self.log, RECENT_LINES)}")
        print("Restarted: new workers accept requests, and old workers finish their answers.")

    def status(self) -> None:
        """Print the state of the gateway and the end of its log. Exit with 1 if it is not running."""
        pid = self.pid
        if pid is None:
            sys.exit(f"The gateway is not running (no process in {self.pid_file}).")
        print(
            f"The gateway is running: pid {pid}, {len(list_children(pid))} worker(s), for {ask_ps(pid, 'etime')}."
        )
        print(self._describe_health())
        if self.log.exists():
            print(f"\nLast lines of {self.log}:\n{read_end(self.log, RECENT_LINES)}")

    def logs(self) -> None:
        """Follow the log until Ctrl-C."""
        if not self.log.exists():
            sys.exit(f"{self.log} does not exist. `{START}` creates it.")
        os.execvp("tail", ["tail", "-n", "50", "-F", str(self.log)])

    def _start_log_writer(self) -> "subprocess.Popen[bytes]":
        """Start the process that writes and rotates the log. It ends after the gateway."""
        limits = [
            "--max-bytes",
            str(self.settings.log_max_bytes),
            "--backups",
            str(self.settings.log_backup_count),
        ]
        return subprocess.Popen(
            [sys.executable, str(LOG_WRITER), str(self.log), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _is_ready(self, pid: int) -> bool:
        """Return True if a worker of this very process answers."""
        return self._find_worker() in list_children(pid)

    def _find_worker(self) -> int | None:
        """Return the process id of the worker that answers, even with an error; None if none does."""
        try:
            found = self.client.get("/health")
        except NoAnswer:
            return None
        except Refused as error:
            found = error.body
        return found.get("pid") if isinstance(found, dict) else None

    def _describe_health(self) -> str:
        try:
            found = self.client.get("/health")
        except (NoAnswer, Refused) as error:
            return f"unhealthy. {error}"
        claude = found["claude"]
        turns = f"{claude['running']} answers running, {claude['queued']} waiting"
        processes = f"{claude['processes']} of {claude['max_processes']} processes"
        return f"healthy at {self.client.url}: Claude Code {found['claude_version']}, {turns}, {processes}"


def run_in_foreground(settings: Settings, options: Sequence[str]) -> NoReturn:
    """Replace this process with gunicorn. Exit if the port is in use."""
    check_port(settings)
    command = [*GUNICORN, *options, APP]
    os.execv(command[0], command)


def check_port(settings: Settings) -> None:
    """Exit if another process listens on the port: its answers would look like the gateway's."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return  # gunicorn reports the problem
            port = settings.port
            remedy = f"End it with `make kill PORT={port}`, or set" if IS_CLONE else "End it, or set"
            sys.exit(f"Port {port} is in use by {describe_listeners(port)}. {remedy} another PORT.")


def load_server(pid_file: Path, log: Path, *, must_be_valid: bool) -> Server:
    """Return the server of the settings. Exit if they are wrong and `must_be_valid`, else print a warning."""
    os.environ.pop("BASE_URL", None)  # this is about the gateway of this machine
    settings, problem = load_valid()
    if problem and must_be_valid:
        sys.exit(problem)
    if problem:
        print(f"Warning: {problem}", file=sys.stderr)
    return Server(pid_file, log, settings)


def wait_until(condition: Callable[[], object], seconds: float = START_SECONDS) -> bool:
    """Wait until `condition()` is true. Return False if it is not true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def is_gunicorn(pid: int) -> bool:
    """Return True if the process is running and is a gunicorn."""
    command = ask_ps(pid, "args")
    return "gunicorn" in command and "<defunct>" not in command


def ask_ps(pid: int, column: str) -> str:
    """Return a column of `ps` for a process; "" if the process does not exist."""
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def list_children(pid: int) -> set[int]:
    """Return the process ids of a process's children."""
    command = ["ps", "-A", "-o", "pid=", "-o", "ppid="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {int(child) for child, parent in zip(listed[::2], listed[1::2], strict=True) if int(parent) == pid}


def read_end(path: Path, lines: int) -> str:
    """Return the last lines of a file."""
    command = ["tail", "-n", str(lines), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.rstrip()
