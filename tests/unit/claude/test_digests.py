"""Digests of conversations: a parked process may only continue the conversation that it holds."""

from dataclasses import replace

import pytest

from gateway.claude.fleet.digests import digest_turn
from gateway.turn import Message, Tool, Turn
from gateway.workspace import AgentWorkspace
from tests.support.recorded import Body


@pytest.mark.parametrize(
    "change",
    [
        {"project": "q"},
        {"agent_workspace": None},
        {"agent_workspace": AgentWorkspace("/p", ("Read", "Glob"))},
        {"agent_workspace": AgentWorkspace("/p", ("Read",), permission_mode="acceptEdits")},
        {"agent_workspace": AgentWorkspace("/p", ("Read",), instructions="Sing.")},
    ],
)
def test_other_project_policy_or_instructions_never_match_a_parked_process(change: Body) -> None:
    messages = (Message("user", ({"type": "text", "text": "hi"},)),)
    turn = Turn(messages, project="p", agent_workspace=AgentWorkspace("/p", ("Read",)))
    assert digest_turn(turn) == digest_turn(replace(turn))
    assert not set(digest_turn(turn)) & set(digest_turn(replace(turn, **change)))


EDIT_SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "all": {"type": "boolean", "default": False},
        "count": {"type": "integer", "default": 0},
        "places": {"type": "array", "items": {"properties": {"line": {"default": 1}}}},
    },
}


@pytest.mark.parametrize(
    ("sent_back", "is_same"),
    [
        ({"path": "a", "all": False}, True),  # as Claude Code does it with `replace_all` of its tool Edit
        ({"count": 0, "path": "a", "all": False}, True),
        ({"path": "a", "all": True}, False),
        ({"path": "b"}, False),
        ({"path": "a", "count": False}, False),
        ({"path": "a", "other": None}, False),
        ({"path": "a", "places": []}, False),
    ],
)
def test_arguments_with_the_default_of_their_schema_are_the_same_call(sent_back: Body, is_same: bool) -> None:
    def call(arguments: Body) -> Turn:
        block = {"type": "tool_use", "id": "toolu_1", "name": "edit", "input": arguments}
        return Turn((Message("assistant", (block,)),), tools=(Tool("edit", "", EDIT_SCHEMA),))

    assert (digest_turn(call({"path": "a"})) == digest_turn(call(sent_back))) is is_same


def test_defaults_are_found_inside_lists() -> None:
    def call(arguments: Body) -> Turn:
        block = {"type": "tool_use", "id": "toolu_1", "name": "edit", "input": arguments}
        return Turn((Message("assistant", (block,)),), tools=(Tool("edit", "", EDIT_SCHEMA),))

    assert digest_turn(call({"places": [{"a": 2}]})) == digest_turn(call({"places": [{"a": 2, "line": 1}]}))
