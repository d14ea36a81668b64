"""Each live setting takes effect while the services run, and a reset takes the effect back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.answering.live_settings import LIVE
from gateway.answering.services import build_services
from gateway.claude.fleet import idle_watch
from gateway.observe import logs
from gateway.store.audit import COMMAND_LINE
from tests.support.scripted import ScriptedCli
from tests.unit.answering.live_effects import EFFECTS
from tests.unit.answering.live_rig import Rig
from tests.unit.claude.fleets import make_settings

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

BASE: dict[str, Any] = {
    "require_auth": True,
    "rate_limit_requests_per_minute": 30,
    "rate_limit_burst": 5,
    "max_processes": 12,
    "max_queued_requests": 20,
    "default_model": "haiku",
    "model_patterns": ("gpt-*=haiku",),
    "queue_timeout_seconds": 10.0,
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fleet look at idle processes often."""
    monkeypatch.setattr(idle_watch, "MAX_PAUSE_SECONDS", 0.2)


@pytest.fixture
def make_rig(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Return a function that makes a rig with these settings."""
    made: list[Rig] = []

    def make(**settings: Any) -> Rig:
        cli = ScriptedCli(tmp_path)
        chosen = make_settings(cli, **{**BASE, "database_url": database_url, **settings})
        made.append(Rig(build_services(chosen), cli))
        logs.set_level("INFO")
        return made[-1]

    yield make
    for rig in made:
        rig.services.claude.close()
        rig.services.store.close()
    logs.set_level("INFO")


def test_every_live_setting_has_a_row() -> None:
    assert EFFECTS.keys() == LIVE.keys()


@pytest.mark.parametrize("name", EFFECTS)
def test_change_takes_effect_and_reset_takes_it_back(make_rig: Callable[..., Rig], name: str) -> None:
    effect = EFFECTS[name]
    rig = make_rig(**effect.base)
    live_settings = rig.services.live_settings
    assert effect.observe(rig) == effect.before
    live_settings.change(name, effect.value, COMMAND_LINE)
    assert effect.observe(rig) == effect.after
    live_settings.reset(name, COMMAND_LINE)
    assert effect.observe(rig) == effect.before
