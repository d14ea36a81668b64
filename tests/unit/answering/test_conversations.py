"""Conversations and responses at the end of an answer, when the database fails or the claim is lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.answering.claims import Claim
from gateway.answering.conversations import add_at_end, create_conversation, find_context
from gateway.answering.services import Services, build_services
from gateway.dialects.responses.items import by_id
from gateway.errors import NotServed, StoreError
from gateway.settings import Settings
from gateway.store.conversations import Conversations
from tests.unit.answering.fakes import caller

ME = caller("me")
INPUT: dict[str, Any] = {"id": "msg_in", "type": "message"}


def response(status: str = "completed") -> dict[str, Any]:
    output = [{"id": "msg_out", "type": "message"}]
    return {"id": "resp_1", "status": status, "store": False, "output": output, "conversation": {"id": "c"}}


def fail(*args: object, **fields: object) -> None:
    raise StoreError


@pytest.fixture
def claim(services: Services) -> Iterator[Claim]:
    services.conversations.add("me", "c", {}, {})
    claim = Claim("c", 0, "resp_1", ME, services)
    yield claim
    claim.release()


def items_of(services: Services) -> list[str]:
    page = services.conversations.list_items("me", "c", limit=9, is_ascending=True)
    return [item["id"] for item in page.items]


@pytest.mark.parametrize(
    ("status", "added"),
    [("completed", 2), ("incomplete", 2), ("failed", 0), ("cancelled", 0)],
)
def test_only_complete_responses_are_added(services: Services, claim: Claim, status: str, added: int) -> None:
    add_at_end(claim, [INPUT])(response(status))
    assert items_of(services) == ["msg_in", "msg_out"][:added]


def test_response_that_cannot_be_added_is_in_no_conversation(
    services: Services, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conversations, "append", fail)
    ended = response()
    add_at_end(claim, [INPUT])(ended)
    assert ended["conversation"] is None
    monkeypatch.undo()
    claim.release()
    services.conversations.delete("me", "c")


def test_response_of_a_deleted_conversation_is_in_no_conversation(services: Services, claim: Claim) -> None:
    services.conversations.delete("me", "c")
    ended = response()
    add_at_end(claim, [INPUT])(ended)
    assert ended["conversation"] is None


def test_gateway_that_stores_nothing_has_no_conversations(database_url: str) -> None:
    services = build_services(Settings(database_url=database_url, store_responses=False))
    for attempt in (create_conversation, find_context):
        with pytest.raises(NotServed):
            attempt({"conversation": "c"}, ME, services)
    services.store.close()


def test_repeated_ids_lose_no_item() -> None:
    repeated = by_id([INPUT, INPUT])
    assert len(repeated) == 2
    assert [item["id"] for item in repeated.values()] == list(repeated)
