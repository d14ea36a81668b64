"""OpenAI's Conversations API, and responses that continue a conversation, with OpenAI's own SDK and the real CLI."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.model.test_parked_conversations import count_reuses
from tests.model.test_responses import MODEL, create, post, status_code_and_param, wait_until_finished
from tests.standin import StandIn, hang, text, tool_calls
from tests.support import responses_shapes as shapes
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import Body, process_of, turns_of
from tests.support.tool_bodies import CALL_ROME

PATH = "/v1/conversations"
WEATHER: Body = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {}},
}


def user(content: str) -> Any:
    """Return a user message, without the types of the SDK."""
    return {"role": "user", "content": content}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="one", max_retries=0, timeout=60) as client:
        yield client


def kinds(client: openai.OpenAI, conversation_id: str) -> list[str]:
    """Return the types of all items, the oldest first, as the SDK reads them page by page."""
    return [item.type for item in client.conversations.items.list(conversation_id, order="asc", limit=3)]


def test_sdk_manages_conversations_and_their_items(client: openai.OpenAI) -> None:
    conversation = client.conversations.create(metadata={"topic": "demo"}, items=[user("Hello!")])
    assert conversation.id.startswith("conv_")
    assert client.conversations.retrieve(conversation.id).metadata == {"topic": "demo"}
    assert client.conversations.update(conversation.id, metadata={}).metadata == {}

    many: Any = [user(f"message {index}") for index in range(20)]
    added = client.conversations.items.create(conversation.id, items=many)
    assert [item.type for item in added.data] == ["message"] * 20
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[-1].id)
    newest = client.conversations.items.list(conversation.id, limit=2)
    assert [item.id for item in newest.data] == [item.id for item in added.data[:-3:-1]]
    assert kinds(client, conversation.id) == ["message"] * 21
    one: Any = client.conversations.items.retrieve(added.first_id, conversation_id=conversation.id)
    assert (one.role, one.status, one.content[0].text) == ("user", "completed", "message 0")

    after = client.conversations.items.delete(added.first_id, conversation_id=conversation.id)
    assert after.id == conversation.id
    with pytest.raises(openai.NotFoundError) as gone:
        client.conversations.items.retrieve(added.first_id, conversation_id=conversation.id)
    assert gone.value.code == "item_not_found"
    deleted = client.conversations.delete(conversation.id)
    assert (deleted.object, deleted.deleted) == ("conversation.deleted", True)
    with pytest.raises(openai.NotFoundError) as gone:
        client.conversations.retrieve(conversation.id)
    assert gone.value.code == "conversation_not_found"
    assert client.conversations.create().id


def test_responses_continue_a_conversation_in_one_process(keeping_gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Sun."))
    standin.reply(tool_calls([CALL_ROME], text="Let me look."), times=1)
    key = keeping_gateway.api.headers["Authorization"].removeprefix("Bearer ")
    started = keeping_gateway.api.post(PATH, json={"items": [{"role": "developer", "content": "Be brief."}]})
    conversation = started.json()["id"]
    first = create(keeping_gateway, "Weather?", key, conversation=conversation, tools=[WEATHER])
    assert first.conversation is not None
    assert first.conversation.id == conversation
    reuses = count_reuses(keeping_gateway)
    result = {"type": "function_call_output", "call_id": CALL_ROME[2], "output": "sun"}
    streamed = post(
        keeping_gateway, [result], key, conversation={"id": conversation}, tools=[WEATHER], stream=True
    )
    shapes.check_stream(streamed.content)
    create(keeping_gateway, "Thanks.", key, conversation=conversation, tools=[WEATHER], store=False)
    assert count_reuses(keeping_gateway) == reuses + 2
    assert len({process_of(record) for record in standin.messages}) == 1
    listed = keeping_gateway.api.get(f"{PATH}/{conversation}/items?order=asc").json()
    shapes.check_items(listed)
    types = [item["type"] for item in listed["data"] if item["type"] != "reasoning"]
    assert types == [
        *("message", "message", "message", "function_call", "function_call_output"),
        *("message", "message", "message"),
    ]


def test_background_response_adds_to_its_conversation(client: openai.OpenAI, gateway: Gateway) -> None:
    conversation = client.conversations.create()
    begun = create(gateway, "hi", conversation=conversation.id, background=True)
    assert wait_until_finished(client, begun.id).status == "completed"
    assert [kind for kind in kinds(client, conversation.id) if kind != "reasoning"] == ["message"] * 2


def test_cut_response_adds_nothing_and_locks_its_conversation_until_then(
    client: openai.OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    conversation = client.conversations.create(items=[user("one")])
    standin.reply(hang(after=1), times=1)
    stream = client.responses.create(
        model=MODEL, input="two", conversation=conversation.id, stream=True, store=False
    )
    next(stream)
    busy = post(gateway, "three", conversation=conversation.id)
    assert status_code_and_param(busy)[:2] == (409, "conversation_locked")
    with pytest.raises(openai.ConflictError):
        client.conversations.items.create(conversation.id, items=[user("three")])
    stream.close()
    wait_for(lambda: post(gateway, "four", conversation=conversation.id).status_code == 200)
    assert turns_of(standin.messages.last) == [("user", ["one", "four"])]


def test_conversation_that_cannot_be_continued_is_named(client: openai.OpenAI, gateway: Gateway) -> None:
    conversation = client.conversations.create(items=[user("secret")])
    item = client.conversations.items.list(conversation.id).data[0].id
    foreign = post(gateway, "and?", "two", conversation=conversation.id)
    assert status_code_and_param(foreign) == (404, "conversation_not_found", "conversation")
    response = create(gateway, "hi")
    both = post(gateway, "hi", conversation=conversation.id, previous_response_id=response.id)
    assert status_code_and_param(both) == (400, "invalid_request", "conversation")
    for wrong in (5, {"name": "x"}, {"id": 5}):
        assert status_code_and_param(post(gateway, "hi", conversation=wrong)) == (
            400,
            "invalid_request",
            "conversation",
        )
    other = gateway.api.with_key("two")
    for method, path in [
        ("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/items"), ("POST", "/items"),
        ("GET", f"/items/{item}"), ("DELETE", f"/items/{item}"),
    ]:  # fmt: skip
        body = {"metadata": {}, "items": [user("x")]} if method == "POST" else None
        answer = other.request(method, f"{PATH}/{conversation.id}{path}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "conversation_not_found")
    too_many: Any = [user("x")] * 21
    with pytest.raises(openai.BadRequestError) as refused:
        client.conversations.items.create(conversation.id, items=too_many)
    assert refused.value.param == "items"


def test_input_may_reference_items_of_a_conversation(
    client: openai.OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    conversation = client.conversations.create(items=[user("Why?")])
    item = client.conversations.items.list(conversation.id).data[0]
    create(gateway, [{"type": "item_reference", "id": item.id}])
    assert turns_of(standin.messages.last) == [("user", ["Why?"])]
