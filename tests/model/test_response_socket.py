"""The WebSocket mode of `/v1/responses`, with the client library that OpenAI's SDK uses, and with the SDK."""

import itertools
import json
from collections.abc import Callable, Iterator

import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.model.test_upstream_errors import SLOW
from tests.standin import StandIn, hang, stream_error, text
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.recorded import turns_of
from tests.support.response_client import MODEL, ResponseClient, connect, text_of
from tests.support.wide import wide

Start = Callable[..., Gateway]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[ResponseClient]:
    with connect(gateway) as client:
        yield client


def error_code(events: list[dict[str, object]]) -> tuple[object, object]:
    (only,) = events
    assert isinstance(only["error"], dict)
    return only["status"], only["error"]["code"]


def test_one_connection_carries_several_responses(client: ResponseClient, standin: StandIn) -> None:
    standin.reply(text("Hello"), when="first")
    standin.reply(text("World"), when="second")
    client.ask("first", seed=1)
    client.ask("second")  # before the first one is answered
    first, second = client.read(), client.read()
    assert (text_of(first), text_of(second)) == ("Hello", "World")
    for events in (first, second):
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["response"]["status"] == "completed"
    assert first[0]["headers"]["x-ignored-parameters"] == "seed"
    assert first[0]["headers"]["x-request-id"] != second[0]["headers"]["x-request-id"]


def test_response_that_is_not_stored_continues_on_its_connection_only(
    gateway: Gateway, client: ResponseClient, standin: StandIn
) -> None:
    standin.default(text("Noted."))
    first = client.create("The word is cobalt.", store=False)[-1]["response"]
    second = client.create("Which word?", store=False, previous_response_id=first["id"])[-1]["response"]
    assert second["previous_response_id"] == first["id"]
    assert turns_of(standin.messages.last) == [
        ("user", ["The word is cobalt."]),
        ("assistant", ["Noted."]),
        ("user", ["Which word?"]),
    ]
    with connect(gateway) as other:
        events = other.create("Which word?", previous_response_id=first["id"])
        assert error_code(events) == (400, "previous_response_not_found")
        assert text_of(other.create("Hello again")) == "Noted."


def test_stored_response_keeps_the_whole_conversation_with_one_that_is_not(
    gateway: Gateway, client: ResponseClient, standin: StandIn
) -> None:
    standin.default(text("Noted."))
    first = client.create("one", store=False)[-1]["response"]["id"]
    second = client.create("two", previous_response_id=first)[-1]["response"]["id"]
    gateway.api.with_key("one").create_response("three", model=MODEL, previous_response_id=second)
    said = [content for role, content in turns_of(standin.messages.last) if role == "user"]
    assert said == [["one"], ["two"], ["three"]]


def test_failed_continuation_forgets_the_response(client: ResponseClient, standin: StandIn) -> None:
    """https://www.openresponses.org/specification#websocket-continuation demands it."""
    standin.default(text("Noted."))
    first = client.create("one", store=False)[-1]["response"]["id"]
    orphan = {"type": "function_call_output", "call_id": "call_x", "output": "?"}
    events = client.create([orphan], store=False, previous_response_id=first)
    assert error_code(events) == (400, "invalid_request")
    assert events[0]["error"]["param"] == "input[0].call_id"
    events = client.create("two", store=False, previous_response_id=first)
    assert error_code(events) == (400, "previous_response_not_found")


def test_prepared_response_has_no_output_and_can_be_continued(
    client: ResponseClient, standin: StandIn
) -> None:
    """`generate: false`, with which Codex prepares a conversation."""
    standin.default(text("Hello"))
    events = client.create("one", store=False, generate=False)
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    assert events[-1]["response"]["output"] == []
    assert len(standin.messages) == 0
    client.create("two", store=False, previous_response_id=events[-1]["response"]["id"])
    assert turns_of(standin.messages.last) == [("user", ["one", "two"])]
    tools_only = [{"type": "additional_tools", "tools": []}]
    events = client.create(tools_only, store=False, generate=False)
    assert events[-1]["type"] == "response.completed"


def test_cancel_ends_the_response_and_not_the_connection(client: ResponseClient, standin: StandIn) -> None:
    standin.reply(hang(after=3), when="slow")
    standin.default(text("Hello"))
    client.ask("slow")
    client.read(until=("response.output_text.delta",))
    client.send({"type": "response.cancel"})
    last = client.read()[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "cancelled")
    standin.wait_for(lambda: standin.messages.last.aborted)
    assert text_of(client.create("hi")) == "Hello"


def test_client_that_leaves_stops_its_response(gateway: Gateway, standin: StandIn) -> None:
    standin.default(hang(after=3))
    with connect(gateway) as client:
        client.ask("slow")
        client.read(until=("response.output_text.delta",))
    standin.wait_for(lambda: standin.messages.last.aborted)


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_request", None),
        ("[]", "invalid_request", "type"),
        ('{"type": "session.update"}', "invalid_request", "type"),
        ('{"type": "response.create", "input": 5}', "invalid_request", "input"),
        (
            '{"type": "response.create", "input": "hi", "background": true}',
            "unsupported_parameter",
            "background",
        ),
        ('{"type": "response.create", "input": "hi", "model": "gpt-none"}', "model_not_supported", "model"),
    ],
)
def test_bad_message_is_an_error_and_not_the_end(
    client: ResponseClient, standin: StandIn, message: str, code: str, param: str | None
) -> None:
    standin.default(text("Hello"))
    client.socket.send(message)
    (event,) = client.read()
    assert (event["status"], event["error"]["code"], event["error"]["param"]) == (400, code, param)
    assert text_of(client.create("hi")) == "Hello"


def test_failure_in_the_middle_is_one_final_event(client: ResponseClient, standin: StandIn) -> None:
    standin.reply(stream_error(after=2), when="cut")
    standin.default(text("Hello"))
    events = client.create("cut")
    assert events[-1]["type"] == "response.failed"
    assert text_of(client.create("hi")) == "Hello"  # and no other event in between


def test_events_of_a_lane_carry_its_id(client: ResponseClient, standin: StandIn) -> None:
    standin.default(text("Hello"))
    events = client.create("hi", stream_id="a")
    assert {event["stream_id"] for event in events} == {"a"}


@wide
def test_keys_limits_and_sizes_are_the_same_as_for_post(start_gateway: Start, standin: StandIn) -> None:
    standin.default(text("Hello"))
    gateway = start_gateway(
        **NOTHING_KEPT,
        REQUIRE_AUTH="true",
        API_KEYS="right",
        RATE_LIMIT_REQUESTS_PER_MINUTE="2",
        RATE_LIMIT_BURST="0",
        MAX_REQUEST_BYTES="2000",
        ALLOWED_ORIGINS="https://good.example",
    )
    for key, status in ((None, 401), ("wrong", 401)):
        with pytest.raises(InvalidStatus) as refused, connect(gateway, key):
            pass
        assert refused.value.response.status_code == status
    with pytest.raises(InvalidStatus) as refused, connect(gateway, "right", origin="https://bad.example"):
        pass
    assert refused.value.response.status_code == 403
    with connect(gateway, "right", origin="https://good.example") as client:
        assert [client.create("hi")[-1]["type"] for _ in range(2)] == ["response.completed"] * 2
        (event,) = client.create("hi", stream_id="a")
        assert (event["status"], event["error"]["code"]) == (429, "rate_limit_exceeded")
        assert (event["stream_id"], int(event["headers"]["retry-after"]) > 0) == ("a", True)
        client.ask("x" * 3000)
        assert error_code(client.read()) == (413, "request_too_large")
        with pytest.raises(ConnectionClosed) as closed:
            client.socket.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@wide
def test_reload_completes_the_response_and_closes_the_connection(
    start_gateway: Start, standin: StandIn
) -> None:
    standin.default(SLOW)
    gateway = start_gateway(**NOTHING_KEPT)
    with connect(gateway) as client, connect(gateway) as idle:
        client.ask("hi")
        client.read(until=("response.output_text.delta",))
        gateway.process.send_signal(1)
        assert client.read()[-1]["type"] == "response.completed"
        for one in (client, idle):
            with pytest.raises(ConnectionClosed) as closed:
                one.socket.recv(20)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
    with connect(gateway) as client:
        assert client.create("hi")[-1]["type"] == "response.completed"


def test_wrong_urls_take_no_sockets(gateway: Gateway) -> None:
    for path, status in (("/v1/realtime", 501), ("/v1/models", 404)):
        with pytest.raises(InvalidStatus) as refused, connect(gateway, path=path):
            pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"")["error"]["code"]
    assert gateway.api.get("/v1/responses").status_code == 405


def test_openai_sdk_gets_two_responses_over_one_connection(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Hello"))
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="one") as client,
        client.responses.connect() as connection,
    ):
        previous = None
        for _ in range(2):
            connection.response.create(model=MODEL, input="hi", store=False, previous_response_id=previous)
            events = list(itertools.takewhile(lambda event: event.type != "response.completed", connection))
            previous = events[0].response.id  # type: ignore[union-attr]
            assert "response.output_text.delta" in [event.type for event in events]
    assert len(turns_of(standin.messages.last)) == 3
