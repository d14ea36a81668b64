"""Stored responses: what they add to a request, and how a request's own response is stored."""

from typing import Any

import pytest

from gateway.answering.services import Services
from gateway.answering.stored_responses import (
    find_earlier_items,
    find_input_items,
    is_to_be_stored,
    store_at_end,
)
from gateway.errors import InvalidRequest, NotFound, StoreError, UnsupportedParameter
from gateway.settings import Settings
from gateway.store.responses import Responses
from tests.unit.answering.fakes import caller

ME = caller("me")
ITEM = {"id": "msg_1", "type": "message", "role": "user", "content": "hi"}


def add(services: Services, status: str = "completed") -> None:
    body: dict[str, Any] = {"id": "resp_1", "previous_response_id": None, "status": status, "output": []}
    services.responses.add("me", body, [ITEM], is_background=status == "queued")


@pytest.mark.parametrize(
    ("body", "setting", "expected"),
    [
        ({}, True, True),
        ({"store": False}, True, False),
        ({}, False, False),
        ({"background": True}, True, True),
    ],
)
def test_a_response_is_stored_unless_request_or_setting_say_no(
    body: dict[str, Any], setting: bool, expected: bool
) -> None:
    assert is_to_be_stored(body, Settings(store_responses=setting)) is expected


@pytest.mark.parametrize(("body", "setting"), [({"store": False}, True), ({}, False)])
def test_a_background_response_must_be_stored(body: dict[str, Any], setting: bool) -> None:
    with pytest.raises(UnsupportedParameter) as error:
        is_to_be_stored({"background": True, **body}, Settings(store_responses=setting))
    assert error.value.param == "background"


def test_references_become_the_items_they_refer_to(services: Services) -> None:
    add(services)
    reference = {"type": "item_reference", "id": "msg_1"}
    assert find_input_items({"input": [reference]}, ME, services) == [ITEM]
    with pytest.raises(NotFound):
        find_input_items({"input": [reference]}, caller("other"), services)


def test_a_request_continues_a_stored_response(services: Services) -> None:
    add(services)
    assert find_earlier_items({}, ME, services) == []
    assert find_earlier_items({"previous_response_id": "resp_1"}, ME, services) == [ITEM]
    with pytest.raises(InvalidRequest) as error:
        find_earlier_items({"previous_response_id": "resp_1"}, caller("other"), services)
    assert error.value.code == "previous_response_not_found"


def test_a_response_that_is_still_written_cannot_be_continued(services: Services) -> None:
    add(services, status="queued")
    with pytest.raises(InvalidRequest, match="not finished"):
        find_earlier_items({"previous_response_id": "resp_1"}, ME, services)


def test_an_answer_that_cannot_be_stored_says_so(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **fields: object) -> None:
        raise StoreError

    monkeypatch.setattr(Responses, "add", fail)
    response = {"id": "resp_1", "store": True}
    store_at_end([], ME, services)(response)
    assert response["store"] is False
