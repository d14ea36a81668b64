"""Web search and web fetch on `/v1/messages`, through the real CLI and Anthropic's own SDK, block by block."""

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from anthropic import Anthropic, BadRequestError

from tests.standin import (
    Page,
    StandIn,
    blocks,
    cited,
    fetch,
    fetched,
    found,
    search,
    search_failed,
    searches,
    text,
    text_block,
    tool_block,
)
from tests.support.gateway import Gateway
from tests.support.recorded import Body, messages_of, process_of
from tests.support.wide import wide_except

MODEL = "claude-haiku-4-5"
SEARCH: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
FETCH: Any = {"type": "web_fetch_20250910", "name": "web_fetch"}
LOOK: Any = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
CATS, DOGS = Page("https://cats.example/a", "Cats", "2 days"), Page("https://dogs.example/b", "Dögs")
QUESTION: Any = {"role": "user", "content": "Which animals purr?"}
ANSWER = blocks(
    text_block("I will search."),
    search("animals that purr"),
    found(CATS, DOGS),
    text_block("It is known that "),
    cited("cats purr", CATS, DOGS),
    text_block(". Dogs do not."),
    usage=searches(1),
)
CONTENT: list[Body] = [
    {"type": "text", "text": "I will search."},
    {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "animals that purr"},
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [CATS.result(), DOGS.result()],
    },
    {"type": "text", "text": "It is known that "},
    {
        "type": "text",
        "text": "cats purr",
        "citations": [CATS.citation("cats purr"), DOGS.citation("cats purr")],
    },
    {"type": "text", "text": ". Dogs do not."},
]


@pytest.fixture
def claude(keeping_gateway: Gateway) -> Iterator[Any]:
    """Yield a client without types, because tests also pass values that the types of the SDK forbid."""
    key = keeping_gateway.api.headers["Authorization"].partition(" ")[2]
    client = httpx.Client(trust_env=False, timeout=60)
    with Anthropic(base_url=keeping_gateway.url, api_key=key, max_retries=0, http_client=client) as sdk:
        yield sdk


def ask(claude: Any, stream: bool, messages: list[Body], **fields: Any) -> Any:
    """Return the SDK's message, streamed or whole."""
    body = {"model": MODEL, "max_tokens": 9000, "messages": messages, "tools": [SEARCH], **fields}
    if not stream:
        return claude.messages.create(**body)
    with claude.messages.stream(**body) as events:
        return events.get_final_message()


def plain(answer: Any) -> list[Body]:
    """Return the content as the API sent it: without the nulls that the SDK adds."""
    return [block.model_dump(exclude_unset=True, mode="json") for block in answer.content]


@pytest.mark.parametrize("stream", wide_except([False, True], True), ids=["whole", "streamed"])
def test_search_with_citations_comes_block_by_block_and_goes_back_the_same_way(
    claude: Any, standin: StandIn, stream: bool
) -> None:
    standin.reply(ANSWER, times=1)
    answer = ask(claude, stream, [QUESTION])
    assert plain(answer) == CONTENT
    assert (answer.stop_reason, answer.usage.server_tool_use.web_search_requests) == ("end_turn", 1)
    first = standin.messages.last
    assert first.body["tools"] == [SEARCH]
    standin.default(text("You are welcome."))
    replayed = [
        QUESTION,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": "Ta."},
    ]
    ask(claude, stream, replayed)
    assert process_of(standin.messages.last) == process_of(first)
    assert messages_of(standin.messages.last)[1] == {"role": "assistant", "content": CONTENT}
    ask(claude, stream, [QUESTION, {"role": "assistant", "content": plain(answer)}, QUESTION])
    assert process_of(standin.messages.last) != process_of(first)
    assert messages_of(standin.messages.last)[1] == {"role": "assistant", "content": CONTENT}


def test_a_pause_is_no_end_for_the_client(claude: Any, standin: StandIn) -> None:
    standin.reply(blocks(*ANSWER.blocks[3:], usage=searches(2)), times=1)
    standin.reply(blocks(*ANSWER.blocks[:3], stop_reason="pause_turn", usage=searches(1)), times=1)
    answer = ask(claude, True, [QUESTION])
    assert plain(answer) == CONTENT
    assert (answer.stop_reason, answer.usage.server_tool_use.web_search_requests) == ("end_turn", 3)
    paused, continued = list(standin.messages)
    assert messages_of(continued) == [
        *messages_of(paused),
        {"role": "assistant", "content": CONTENT[:3]},
    ]
    standin.default(text("You are welcome."))
    ask(claude, True, [QUESTION, {"role": "assistant", "content": plain(answer)}, QUESTION])
    said = [block for message in messages_of(standin.messages.last)[1:-1] for block in message["content"]]
    assert said == CONTENT
    assert process_of(standin.messages.last) == process_of(paused)


def test_search_beside_a_call_of_the_clients_tool(claude: Any, standin: StandIn) -> None:
    called = tool_block("look", {}, "toolu_1")
    standin.reply(blocks(*ANSWER.blocks[:3], called, usage=searches(1)), times=1)
    tools = [LOOK, SEARCH]
    answer = ask(claude, True, [QUESTION], tools=tools)
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    assert (plain(answer), answer.stop_reason) == ([*CONTENT[:3], use], "tool_use")
    standin.default(blocks(*ANSWER.blocks[3:]))
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "SEEN"}
    history = [
        QUESTION,
        {"role": "assistant", "content": plain(answer)},
        {"role": "user", "content": [result]},
    ]
    assert plain(ask(claude, False, history, tools=tools)) == CONTENT[3:]
    assert [tool["name"] for tool in standin.messages.last.body["tools"]] == ["look", "web_search"]
    assert messages_of(standin.messages.last)[1]["content"] == [*CONTENT[:3], use]


def test_failed_search_and_a_fetched_page(claude: Any, standin: StandIn) -> None:
    url = "https://cats.example/a"
    second = "srvtoolu_2"
    standin.default(
        blocks(
            search("x"),
            search_failed(),
            fetch(url, second),
            fetched(url, "Purr.", second),
            text_block("Done."),
        )
    )
    answer = ask(claude, True, [QUESTION], tools=[SEARCH, FETCH])
    failed, page = plain(answer)[1], plain(answer)[3]
    assert failed["content"] == {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    assert page["content"]["content"]["source"]["data"] == "Purr."
    ask(
        claude,
        False,
        [QUESTION, {"role": "assistant", "content": plain(answer)}, QUESTION],
        tools=[SEARCH, FETCH],
    )
    assert messages_of(standin.messages.last)[1]["content"] == plain(answer)


@pytest.mark.wide
def test_forced_search(claude: Any, standin: StandIn) -> None:
    standin.default(ANSWER)
    ask(claude, False, [QUESTION], tool_choice={"type": "tool", "name": "web_search"})
    assert standin.messages.last.body["tool_choice"] == {"type": "tool", "name": "web_search"}


def test_without_permission_the_search_is_left_out_or_refused(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Hello."))
    body = {"model": MODEL, "max_tokens": 9000, "messages": [QUESTION], "tools": [LOOK, SEARCH]}
    answer = gateway.api.post("/v1/messages", json=body)
    assert answer.headers["x-ignored-parameters"] == "tools[1]"
    assert [tool["name"] for tool in standin.messages.last.body["tools"]] == ["look"]
    refused = gateway.api.post(
        "/v1/messages", json={**body, "tool_choice": {"type": "tool", "name": "web_search"}}
    )
    assert refused.status_code == 400
    assert "may not use the hosted tool 'web_search'" in refused.json()["error"]["message"]


def test_blocks_of_another_provider_do_not_stop_a_conversation(claude: Any, standin: StandIn) -> None:
    standin.default(text("Done."))
    foreign = [CONTENT[0], CONTENT[1], {**CONTENT[2], "content": [{**CATS.result(), "title": "Other"}]}]
    answer = ask(claude, True, [QUESTION, {"role": "assistant", "content": foreign}, QUESTION])
    assert plain(answer) == [{"type": "text", "text": "Done."}]
    first, *found = messages_of(standin.messages.last)[1]["content"]
    assert first == CONTENT[0]
    assert [block["type"] for block in found] == ["text", "text"]
    assert CATS.url in found[1]["text"]
    assert "encrypted" not in found[1]["text"]


@pytest.mark.wide
def test_the_api_refuses_what_it_cannot_read(claude: Any, standin: StandIn) -> None:
    with pytest.raises(BadRequestError, match="Extra inputs"):
        ask(claude, False, [QUESTION], tools=[{**SEARCH, "depth": 3}])
