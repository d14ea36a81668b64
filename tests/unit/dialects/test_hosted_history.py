"""The blocks of hosted tools in earlier answers: native, sealed, changed or incomplete."""

from typing import Any

import pytest

from gateway.dialects.common.conversation import read_conversation
from gateway.dialects.common.hosted_blocks import PREFIX, SEALED, seal_blocks
from gateway.dialects.common.input_items import as_messages
from gateway.dialects.common.where import Notes
from gateway.dialects.messages.content import read_message
from gateway.dialects.messages.request import parse_request
from gateway.turn import Block

CALL: Block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
PAGE = {
    "type": "web_search_result",
    "url": "https://x",
    "title": "X",
    "encrypted_content": "E",
    "page_age": None,
}
RESULT: Block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [PAGE]}
SOURCE = {
    "type": "web_search_result_location",
    "url": "https://x",
    "encrypted_index": "I",
    "cited_text": "so",
}
CITED: Block = {"type": "text", "text": "so", "citations": [SOURCE]}
WHOLE = [CALL, RESULT, CITED]
CALL_TEXT = '[server_tool_use: {"name": "web_search", "input": {"query": "x"}}]'


def read(content: list[Any]) -> tuple[list[Block], list[str]]:
    notes = Notes()
    ((_, parts),) = read_message({"role": "assistant", "content": content}, notes.at("content", is_past=True))
    return [part.block for part in parts], [repair.code for repair in notes.repaired]


@pytest.mark.parametrize(
    ("content", "blocks", "repairs"),
    [
        (WHOLE, WHOLE, []),
        ([{**CALL, "cache_control": {"type": "ephemeral"}}, RESULT], [CALL, RESULT], []),
        ([CALL], [{"type": "text", "text": CALL_TEXT}], ["part-as-text"]),
        ([{**CALL, "id": "call 1"}, CITED], [{"type": "text", "text": CALL_TEXT}, CITED], ["part-as-text"]),
        ([{**CITED, "citations": [{"type": "char_location"}]}], [{"type": "text", "text": "so"}], []),
        ([{**CITED, "citations": None}], [{"type": "text", "text": "so"}], []),
    ],
)
def test_blocks_stay_as_they_are_unless_their_other_half_is_missing(
    content: list[Any], blocks: list[Block], repairs: list[str]
) -> None:
    assert read(content) == (blocks, repairs)


@pytest.mark.parametrize("content", [[RESULT], [RESULT, CALL], [CALL, RESULT, RESULT]])
def test_no_result_stays_without_a_call_before_it(content: list[Any]) -> None:
    blocks, repairs = read(content)
    assert repairs == ["part-as-text"] * len(repairs) != []
    kinds = [block["type"] for block in blocks]
    assert kinds.count("server_tool_use") == kinds.count("web_search_tool_result")


def test_call_may_wait_for_the_results_of_the_clients_tools() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    assert read([CALL, use]) == ([CALL, use], [])


def test_call_that_waits_becomes_text_when_the_conversation_went_on() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    answer = {"role": "assistant", "content": [CALL, use]}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}
    for content, kind in (([result], CALL["type"]), ([result, {"type": "text", "text": "and"}], "text")):
        body = {"messages": [ITEM_HI, answer, {"role": "user", "content": content}], "max_tokens": 9}
        assert parse_request(body).turn.messages[1].content[0]["type"] == kind


ITEM_HI = {"role": "user", "content": "hi"}


def assistant_of(*items: Any) -> tuple[list[Block], list[str]]:
    notes = Notes()
    question = {"role": "user", "content": "hi"}
    _, turns = read_conversation(as_messages([question, *items, question], notes), notes)
    return list(turns[1].content), [repair.code for repair in notes.repaired]


ITEM = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "x"},
}


def message(text: str = "so", sealed: Any = None) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "content": content, SEALED: sealed}


def test_sealed_items_and_messages_become_their_blocks() -> None:
    found = assistant_of({**ITEM, SEALED: seal_blocks([CALL, RESULT])}, message("so", seal_blocks([CITED])))
    assert found == (WHOLE, [])


def test_whole_chat_message_becomes_its_blocks() -> None:
    sent = {"role": "assistant", "content": "so", SEALED: seal_blocks(WHOLE), "annotations": []}
    assert assistant_of(sent) == (WHOLE, [])


@pytest.mark.parametrize(
    "sealed",
    [
        seal_blocks([CITED]),
        "from elsewhere",
        f"{PREFIX}!",
        f"{PREFIX}bm8=",
        seal_blocks([{"type": "tool_use"}]),
        7,
        None,
    ],
)
def test_text_that_was_changed_or_sealed_elsewhere_is_what_the_client_sent(sealed: Any) -> None:
    blocks, _ = assistant_of(message("something else", sealed))
    assert blocks == [{"type": "text", "text": "something else"}]


def test_search_without_its_blocks_becomes_text() -> None:
    blocks, repairs = assistant_of(ITEM, message())
    assert [block["type"] for block in blocks] == ["text", "text"]
    assert repairs == ["part-as-text"]


def test_sealed_blocks_cannot_bring_calls_of_the_clients_tools() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    blocks, _ = assistant_of({**ITEM, SEALED: seal_blocks([CALL, RESULT, use])})
    assert "tool_use" not in [block["type"] for block in blocks]
