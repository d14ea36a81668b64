"""The records of an agent's actions, their size, and the keys that see them."""

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from gateway.answering.agent_activity import MAX_ENTRY_CHARACTERS, activity_owner, record_actions
from gateway.answering.services import Services
from gateway.errors import StoreError
from gateway.lenient_json import dumps
from gateway.store.projects import ProjectRecord
from gateway.turn import Message, Turn
from gateway.workspace import AgentAction, AgentWorkspace
from tests.unit.answering.fakes import caller

TURN = Turn(messages=(Message("user", ({"type": "text", "text": "hi"},)),), project="p")
FOLDER = "/srv/projects/garden"


def record(services: Services, *actions: AgentAction) -> dict[str, Any]:
    """Record the actions of one call, and return its entry."""
    turn = replace(TURN, agent_workspace=AgentWorkspace(FOLDER, ("Read",)))
    workspace = record_actions(turn, caller(), services.activity).agent_workspace
    assert workspace is not None
    for action in actions:
        workspace.record(action)
    ((entry,), _) = services.activity.list_page("p", "me", 1, 10)
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}


def test_paths_are_relative_and_long_texts_are_cut(services: Services) -> None:
    arguments = {"file_path": f"{FOLDER}/a.txt", "content": "x" * 5000}
    entry = record(
        services,
        AgentAction("c", "Write", "started", arguments, subagent="tester"),
        AgentAction("c", "Write", "completed", result={"filePath": f"{FOLDER}/a.txt"}, milliseconds=5),
    )
    assert entry["arguments"]["file_path"] == "a.txt"
    assert entry["arguments"]["content"].endswith("… (5000 characters)")
    assert entry["result"] == '{"filePath":"a.txt"}'
    assert (entry["subagent"], entry["request_id"], entry["milliseconds"]) == ("tester", "req_1", 5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"edits": [{"old": "x" * 2000, "new": ["y" * 2000] * 80}] * 80},
        {str(number): "z" * 2000 for number in range(100)},
    ],
)
def test_an_entry_has_a_limited_size(services: Services, arguments: dict[str, Any]) -> None:
    entry = record(services, AgentAction("c", "Edit", "started", arguments))
    assert len(dumps(entry["arguments"])) <= MAX_ENTRY_CHARACTERS
    assert list(entry["arguments"]) == ["shortened"]


def test_deeply_nested_arguments_are_cut(services: Services) -> None:
    value: Any = "end"
    for _ in range(200):
        value = {"in": value}
    entry = record(services, AgentAction("c", "Edit", "started", value))
    assert dumps(entry["arguments"]).count(b"in") == 5


def test_denial_of_a_call_that_was_not_announced_is_recorded(services: Services) -> None:
    entry = record(services, AgentAction("c", "Bash", "denied", result="not granted"))
    assert (entry["tool"], entry["status"], entry["result"]) == ("Bash", "denied", "not granted")


def test_error_of_the_database_stops_the_agent(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(action: Any) -> None:
        raise StoreError

    monkeypatch.setattr(services.activity, "start", fail)
    with pytest.raises(StoreError):
        record(services, AgentAction("c", "Read", "started"))


def test_owner_of_the_project_and_admins_see_the_actions_of_all_keys() -> None:
    now = datetime.now(timezone.utc)
    project = ProjectRecord("p", "me", "n", None, "p", {}, now, now, True)
    assert activity_owner(project, caller("me", is_admin=False)) is None
    assert activity_owner(project, caller("boss", is_admin=True)) is None
    assert activity_owner(project, caller("guest", allowed_projects=("p",))) == "guest"
