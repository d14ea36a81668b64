"""Chats in a project without an agent: the model receives the same as without a project."""

from tests.standin import StandIn, text
from tests.support.api_client import reply_of
from tests.support.gateway import Gateway
from tests.support.recorded import assistant, user


def test_chat_in_a_project_neither_uses_its_files_nor_shares_its_process(
    gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("Aye."))
    project = gateway.api.create_project()
    gateway.api.upload_file(project["id"], "CLAUDE.md", "Sing.")
    assert reply_of(gateway.api.chat("hi", project_id=project["id"])) == "Aye."
    messages = [user("hi"), assistant("Aye."), user("on")]
    assert gateway.api.chat(messages=messages).status_code == 200
    first, second = standin.messages
    assert "tools" not in first.body or first.body["tools"] == []
    assert "Sing." not in str(first.body)
    assert first.headers["x-claude-code-session-id"] != second.headers["x-claude-code-session-id"]
