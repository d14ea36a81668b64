"""A request that asks for no hosted or remote tool is read the same, no matter what its key may use.

tests/model/test_unchanged_requests.py sends such requests through the real CLI.
"""

import json
from pathlib import Path

import pytest

from gateway.answering.caller import Caller, Identity
from gateway.answering.remote_access import RemoteAccess
from gateway.dialects.chat.cursor import as_chat
from gateway.dialects.chat.request import parse_plain_body
from gateway.schemas.chat import ChatCompletionSchema
from gateway.settings import Settings
from tests.support.client_bodies import BODIES
from tests.support.cursor_bodies import CURSOR_BODIES

CALLER = Caller(Identity("key_1", "alice"), "key_1", "203.0.113.7", "curl", "req_1")
URL = "http://127.0.0.1:9/mcp"  # nothing listens there


@pytest.mark.parametrize("body", (BODIES | CURSOR_BODIES).values(), ids=BODIES | CURSOR_BODIES)
def test_permissions_do_not_change_a_request_that_does_not_use_them(body: dict[str, object]) -> None:
    loaded = ChatCompletionSchema().load(dict(body))
    plain, permitted = (
        parse_plain_body(as_chat(loaded, hosted_tools=tools)) for tools in ((), ("web_search", "web_fetch"))
    )
    assert permitted == plain


def test_listed_servers_do_not_touch_the_turns_of_others(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    others = {"url": URL, "keys": ["bob"], "on_every_request": True}
    path.write_text(json.dumps({"servers": {"docs": {"url": URL}, "notes": others}}))
    access = RemoteAccess(Settings(mcp_config_path=path, mcp_allow_any_server=True))
    turn = parse_plain_body(as_chat({"messages": [{"role": "user", "content": "Hi"}]})).turn
    assert access.equip(turn, CALLER) is turn
