"""gunicorn does not start with settings that cannot work, and says why."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway
from tests.support.scripted import ScriptedCli


def test_start_names_all_invalid_settings(tmp_path: Path) -> None:
    settings = {"PORT": "abc", "LOG_LEVEL": "loud", "CLAUDE_CODE_API_ENV_FILE": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "wsgi:app"],
        env={"PATH": os.environ["PATH"], **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert all(words in done.stderr for words in ("Bad settings", "PORT", "LOG_LEVEL"))
    assert "Traceback" not in done.stderr


def test_gunicorn_exits_when_no_key_would_be_valid(start_gateway: Callable[..., Gateway]) -> None:
    """One worker only: when two fail at the same moment, gunicorn 27 may trip over the second and exit with 1."""
    gateway = start_gateway(REQUIRE_AUTH="true", WARM_PROCESSES="0")
    assert gateway.process.wait(30) == 3
    assert "gateway: REQUIRE_AUTH is true, but there is no key." in gateway.log
    assert "Traceback" not in gateway.log


def test_ctrl_c_logs_no_error(tmp_path: Path) -> None:
    """A terminal sends INT to the workers as well, and gunicorn's arbiter sends it again."""
    gateway = Gateway({"GRACEFUL_TIMEOUT_SECONDS": "5", **NOTHING_KEPT, **ScriptedCli(tmp_path).environ})
    try:
        gateway.await_warm(2)
        os.killpg(gateway.process.pid, signal.SIGINT)
        assert gateway.process.wait(30) == 0
        assert not re.search("Traceback|error  |ERROR", gateway.log), gateway.log
    finally:
        gateway.close()
