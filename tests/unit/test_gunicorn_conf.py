"""The hooks in gunicorn.conf.py, run in a process with a fake clock."""

import os
import subprocess
import sys

from tests.support.gateway import ROOT

DRAIN_BY_A_FAKE_CLOCK = """
import runpy, time
import gevent

now = 0.0

def advance(seconds):
    global now
    now += seconds

class Anything:
    alive, is_replaced, sockets = False, [0], []
    def __getattr__(self, name): return self
    def __getitem__(self, key): return self
    def __call__(self): return self
    def drain(self, seconds): advance(seconds)  # a turn that runs as long as it may

time.monotonic, gevent.sleep = lambda: now, advance
gevent.spawn = lambda function, *arguments: function(*arguments)
try:
    runpy.run_path("gunicorn.conf.py")["post_worker_init"](Anything())
except SystemExit as end:
    print(end.code, now)
"""


def test_worker_exits_before_gunicorn_would_kill_it() -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "GRACEFUL_TIMEOUT_SECONDS": "5",
        "CLAUDE_CODE_API_ENV_FILE": "/nonexistent",
    }
    command = [sys.executable, "-c", DRAIN_BY_A_FAKE_CLOCK]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    code, seconds = done.stdout.split()
    assert code == "0"
    assert 3 <= float(seconds) <= 4  # time for answers, and a second to spare
