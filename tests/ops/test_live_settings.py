"""Settings that change while a gateway runs: in one worker and in three, by HTTP and by the command line."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.audit import Actor
from gateway.store.database import Store
from gateway.store.runtime_settings import RuntimeSettings
from tests.support.alerts import reload_workers
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway, wait_for
from tests.support.scripted import ScriptedCli

URL = "/v1/admin/settings/WARM_PROCESSES"
PATIENCE = 15.0  # five seconds until a worker looks, and the starts on a busy machine


@pytest.fixture(params=[1, 3], ids=["one worker", "three workers"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cli_environ: dict[str, str]
) -> Iterator[Gateway]:
    """Return a gateway with scripted CLIs, one per worker."""
    cli = ScriptedCli(tmp_path_factory.mktemp("live"))
    settings = {"WEB_CONCURRENCY": str(request.param), "WARM_PROCESSES": "1"}
    with contextlib.closing(Gateway({**cli_environ, **NOTHING_KEPT, **cli.environ, **settings})) as started:
        await_warm(started, request.param, 1)
        yield started


def await_warm(gateway: Gateway, workers: int, count: int) -> None:
    """Wait until each worker has so many processes."""

    def is_so() -> bool:
        found = [len(worker.children()) for worker in gateway.workers]
        return found == [count] * workers

    wait_for(is_so, PATIENCE)


def run_command(gateway: Gateway, *arguments: str) -> str:
    """Run `claude-gateway settings …` on the gateway's database."""
    environ = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{gateway.home.name}/gateway.db",
        "CLAUDE_CODE_API_ENV_FILE": "/nonexistent",
    }
    command = [sys.executable, "-m", "gateway", "settings", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_start_names_the_changed_settings(
    tmp_path: Path, cli_environ: dict[str, str], database_url: str
) -> None:
    with contextlib.closing(Store(database_url)) as store:
        store.open()
        RuntimeSettings(store).change("KEEP_SECONDS", "60", Actor("alice"))
    cli = ScriptedCli(tmp_path)
    environ = {**cli_environ, **NOTHING_KEPT, **cli.environ, "DATABASE_URL": database_url}
    with contextlib.closing(Gateway(environ)) as started:
        wait_for(lambda: "Changed    at run time: KEEP_SECONDS. See: " in started.log)
        assert started.api.get("/v1/admin/settings/KEEP_SECONDS").json()["value"] == 60


def test_change_reaches_all_workers_and_survives_a_restart(gateway: Gateway) -> None:
    workers = len(gateway.workers)
    changed = gateway.api.patch(URL, json={"value": 3}).json()
    assert (changed["source"], changed["configured"], changed["place"]) == ("run_time", 1, "the environment")
    await_warm(gateway, workers, 3)
    assert "within 5 seconds" in run_command(gateway, "set", "WARM_PROCESSES", "2")
    await_warm(gateway, workers, 2)
    reload_workers(gateway)
    await_warm(gateway, workers, 2)
    restored = gateway.api.delete(URL).json()
    assert (restored["value"], restored["source"]) == (1, "environment")
    await_warm(gateway, workers, 1)
