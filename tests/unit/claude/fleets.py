"""Fleets of scripted CLIs for unit tests."""

from typing import Any

from gateway.claude.fleet.fleet import Fleet
from gateway.claude.run import Run
from gateway.settings import Settings
from gateway.turn import Message, Model, Text, Turn
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli

MODEL = Model("claude-scripted", name="Scripted", thinking="none")


def make_settings(cli: ScriptedCli, **settings: Any) -> Settings:
    """Return settings for the scripted CLI, with short times, so that a test that hangs fails soon."""
    defaults = {
        "claude_binary_path": str(cli.path),
        "claude_work_dir": cli.home / "work",
        "environ": {"HOME": str(cli.home), "PATH": "/usr/bin:/bin"},
        "warm_processes": 1,
        "queue_timeout_seconds": 1.0,
        "start_timeout_seconds": 10.0,
        "streaming_timeout_seconds": 5.0,
    }
    return Settings(**{**defaults, **settings})


def make_fleet(cli: ScriptedCli, **settings: Any) -> Fleet:
    """Return a fleet that is open and whose warm pool is full."""
    fleet = Fleet(make_settings(cli, **settings))
    fleet.open()
    fleet.await_ready()
    warm = fleet.settings.warm_processes
    # The probe that asks for the login has ended too.
    run_until(lambda: fleet.status()["warm"] == fleet.status()["processes"] == warm)
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


def answer(fleet: Fleet, asked: Turn) -> str:
    """Run a turn to its end and return the text of the answer."""
    run = Run(fleet, asked)
    try:
        return text_of(run)
    finally:
        run.close()


def text_of(run: Run) -> str:
    """Return the text of the answer of a run."""
    return "".join(event.text for batch in run for event in batch if isinstance(event, Text))


def assert_idle(fleet: Fleet) -> None:
    """Check that all slots are free and the queue is empty."""
    assert (fleet.status()["running"], fleet.status()["queued"]) == (0, 0)
