"""Digests of conversations: a parked process may only continue the conversation that it holds."""

from dataclasses import replace

import pytest

from gateway.claude.fleet.digests import digest_turn
from gateway.turn import AgentWorkspace, Message, Turn
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
