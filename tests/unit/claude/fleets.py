"""Fleets of scripted CLIs for unit tests."""

from __future__ import annotations

from typing import Any

from gateway.claude.catalog import ModelCatalog
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.launcher import Launcher
from gateway.claude.limits import Limits
from gateway.turn import Message, Model, Turn
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli

MODEL = Model("claude-scripted", name="Scripted", thinking="none")


def make_launcher(cli: ScriptedCli) -> Launcher:
    """Return a launcher that starts the scripted CLI."""
    environ = {"HOME": str(cli.home), "PATH": "/usr/bin:/bin"}
    return Launcher(work_dir=cli.home / "work", environ=environ, binary_path=str(cli.path))


def make_limits(**limits: Any) -> Limits:
    """Return limits with short times, so that a test that hangs fails soon."""
    defaults = {"warm_processes": 1, "queue_seconds": 1.0, "start_seconds": 10.0, "silence_seconds": 5.0}
    return Limits(**{**defaults, **limits})


def make_fleet(cli: ScriptedCli, **limits: Any) -> Fleet:
    """Return a fleet that is open and whose warm pool is full."""
    bounds = make_limits(**limits)
    fleet = Fleet(ModelCatalog(), bounds, make_launcher(cli))
    fleet.open()
    fleet.await_ready()
    # The probe that asks for the login has ended too.
    run_until(lambda: fleet.status()["warm"] == fleet.status()["processes"] == bounds.warm_processes)
    return fleet


def user(text: str) -> Message:
    """Return a user message."""
    return Message("user", ({"type": "text", "text": text},))


def assistant(text: str) -> Message:
    """Return an assistant message."""
    return Message("assistant", ({"type": "text", "text": text},))


def turn(*texts: str, model: Model = MODEL, **fields: Any) -> Turn:
    """Return a turn whose messages alternate between user and assistant."""
    roles = (user, assistant)
    messages = tuple(roles[index % 2](text) for index, text in enumerate(texts))
    return Turn(messages, model=model, **fields)
