"""Stored conversations: their owners, items and pages, and the claims of answers."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import ConversationLocked, ConversationNotFound, InvalidRequest, NotFound
from gateway.store import conversations as module
from gateway.store.conversations import Conversations
from gateway.store.database import Store

Body = dict[str, Any]
OWN = "me"
FOREVER = timedelta(days=1)


def items(*names: str) -> Body:
    """Return items by their ids."""
    return {name: {"id": name, "type": "message"} for name in names}


def names_of(conversations: Conversations, conversation_id: str = "c") -> list[str]:
    return [item["id"] for item in conversations.load(OWN, conversation_id).items]


@pytest.fixture
def conversations(store: Store) -> Conversations:
    """Return the table, with the conversation "c" that has the items "a" and "b"."""
    found = Conversations(store, FOREVER)
    found.add(OWN, "c", {"topic": "weather"}, items("a", "b"))
    return found


def test_conversation_is_read_changed_and_deleted(conversations: Conversations) -> None:
    assert conversations.get(OWN, "c").body == {"topic": "weather"}
    assert conversations.update(OWN, "c", {}).body == {}
    conversations.add_items(OWN, "c", items("c1"))
    conversations.delete_item(OWN, "c", "a")
    assert names_of(conversations) == ["b", "c1"]
    assert conversations.get_item(OWN, "c", "b") == {"id": "b", "type": "message"}
    conversations.delete(OWN, "c")
    assert not conversations.find_items(OWN, ["b"])
    with pytest.raises(ConversationNotFound):
        conversations.get(OWN, "c")


def test_conversation_of_another_owner_is_missing(conversations: Conversations) -> None:
    for attempt in (
        lambda: conversations.get("other", "c"),
        lambda: conversations.load("other", "c"),
        lambda: conversations.update("other", "c", {}),
        lambda: conversations.delete("other", "c"),
        lambda: conversations.add_items("other", "c", items("x")),
        lambda: conversations.list_items("other", "c", limit=1, is_ascending=True),
        lambda: conversations.get_item("other", "c", "a"),
        lambda: conversations.delete_item("other", "c", "a"),
        lambda: conversations.claim("other", "c", "answer", 2),
    ):
        with pytest.raises(ConversationNotFound):
            attempt()
    assert conversations.find_by_item("other", "a") is None
    assert conversations.find_items("other", ["a"]) == {}


def test_expired_conversation_is_missing_and_every_change_extends_its_life(store: Store) -> None:
    Conversations(store, timedelta(0)).add(OWN, "old", {}, items("a"))
    conversations = Conversations(store, FOREVER)
    with pytest.raises(ConversationNotFound):
        conversations.get(OWN, "old")
    Conversations(store, timedelta(seconds=2)).add(OWN, "c", {}, items("a"))
    conversations.add_items(OWN, "c", items("b"))
    assert conversations.delete_expired() == 1
    assert names_of(conversations) == ["a", "b"]


@pytest.mark.parametrize("is_ascending", [True, False])
def test_pages_join_to_the_whole_list(conversations: Conversations, is_ascending: bool) -> None:
    conversations.add_items(OWN, "c", items("c1", "d", "e"))
    seen: list[str] = []
    more = True
    while more:
        after = seen[-1] if seen else None
        page = conversations.list_items(OWN, "c", limit=2, is_ascending=is_ascending, after=after)
        seen += [item["id"] for item in page.items]
        more = page.has_more
    assert seen == ["a", "b", "c1", "d", "e"][:: 1 if is_ascending else -1]
    with pytest.raises(InvalidRequest):
        conversations.list_items(OWN, "c", limit=2, is_ascending=True, after="unknown")


def test_item_ids_are_unique_and_items_are_limited(
    conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="'a'"):
        conversations.add_items(OWN, "c", items("x", "a"))
    with pytest.raises(NotFound):
        conversations.get_item(OWN, "c", "x")
    monkeypatch.setattr(module, "MAX_ITEMS", 3)
    with pytest.raises(InvalidRequest, match="at most 3"):
        conversations.add_items(OWN, "c", items("x", "y"))


def test_claim_excludes_all_other_changes_until_items_are_appended(conversations: Conversations) -> None:
    version = conversations.load(OWN, "c").version
    conversations.claim(OWN, "c", "first", version)
    for attempt in (
        lambda: conversations.load(OWN, "c"),
        lambda: conversations.claim(OWN, "c", "second", version),
        lambda: conversations.add_items(OWN, "c", items("x")),
        lambda: conversations.delete_item(OWN, "c", "a"),
    ):
        with pytest.raises(ConversationLocked):
            attempt()
    assert not conversations.append(OWN, "c", "second", items("x"))
    assert conversations.append(OWN, "c", "first", items("b", "x"))  # it has "b" already
    assert names_of(conversations) == ["a", "b", "x"]
    assert not conversations.append(OWN, "c", "first", items("y"))


def test_claim_fails_if_the_conversation_has_changed_since_it_was_read(conversations: Conversations) -> None:
    version = conversations.load(OWN, "c").version
    conversations.add_items(OWN, "c", items("x"))
    with pytest.raises(ConversationLocked):
        conversations.claim(OWN, "c", "first", version)


def test_claim_ends_by_release_or_without_renewal(store: Store, conversations: Conversations) -> None:
    conversations.claim(OWN, "c", "first", 2)
    conversations.release("other")
    with pytest.raises(ConversationLocked):
        conversations.load(OWN, "c")
    conversations.release("first")
    brief = Conversations(store, FOREVER, lease_seconds=0)
    brief.claim(OWN, "c", "second", 2)
    assert names_of(conversations) == ["a", "b"]  # the worker of the second one has died
    conversations.renew_leases(["second"])
    with pytest.raises(ConversationLocked):
        conversations.load(OWN, "c")


def test_conversation_is_found_by_its_last_item(conversations: Conversations) -> None:
    assert conversations.find_by_item(OWN, "b") == ("c", True)
    assert conversations.find_by_item(OWN, "a") == ("c", False)
    assert conversations.find_by_item(OWN, "x") is None


def test_many_items_are_stored_in_their_order(conversations: Conversations) -> None:
    names = [f"n{index}" for index in range(1050)]
    conversations.add(OWN, "long", {}, items(*names))
    assert names_of(conversations, "long") == names
    assert len(conversations.find_items(OWN, names)) == 1050
