"""The environment of CLI processes."""

import pytest

from gateway.claude.cli.launch import LEAN_RUNTIME
from gateway.claude.launcher import Launcher
from gateway.settings import Settings


@pytest.mark.parametrize(
    ("settings", "lean"), [(Settings(), True), (Settings(claude_lean_runtime=False), False)]
)
def test_the_lean_runtime_can_be_turned_off(settings: Settings, lean: bool) -> None:
    environment = Launcher(settings).environs["default"]
    assert (environment.items() >= LEAN_RUNTIME.items()) is lean
