"""The reader of answers with hosted tools: calls, results, citations, and pauses that the client does not notice."""

from collections.abc import Mapping
from typing import Any

from gateway.claude.cli.answer_reader import UsageLedger
from gateway.claude.cli.hosted_reader import MAX_PAUSES, HostedAnswerReader, HostedFormattedReader
from gateway.claude.cli.protocol import ApiEvent, CliMessage
from gateway.hosted import Citation, HostedArguments, HostedCall, HostedResult, TextEnd
from gateway.turn import Block, Done, Started, Text, ToolCall, Usage
from tests.unit.claude.cli_messages import (
    START,
    arguments,
    make_context,
    result,
    start_call,
    stop,
    stop_block,
    stream,
    text,
)

CALL: Block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
PAGE = {"type": "web_search_result", "url": "https://a", "title": "A", "encrypted_content": "E"}
RESULT: Block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [PAGE]}
SOURCE = {"type": "web_search_result_location", "url": "https://a", "encrypted_index": "I"}
PAUSED = result(stop_reason="pause_turn", cost=2.0)


def start_block(index: int, block: Mapping[str, Any]) -> ApiEvent:
    return {"type": "content_block_start", "index": index, "content_block": dict(block)}


def cite(index: int, source: Mapping[str, Any] = SOURCE) -> ApiEvent:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": "citations_delta", "citation": source},
    }


def search(fragments: tuple[str, ...] = ('{"query": ', '"cats"}')) -> list[ApiEvent]:
    return [
        start_block(1, CALL),
        *(arguments(1, fragment) for fragment in fragments),
        stop_block(1),
        start_block(2, RESULT),
        stop_block(2),
    ]


def spoken(words: str, *between: ApiEvent) -> list[ApiEvent]:
    return [start_block(0, {"type": "text", "text": ""}), *between, text(words), stop_block(0)]


def test_calls_results_and_citations_become_events_in_their_order() -> None:
    reader = HostedAnswerReader(make_context())
    events = reader.read(
        [*stream(START, *search(), *spoken("Cats purr.", cite(0)), stop("end_turn")), result()]
    )
    assert events[1:-1] == [
        HostedCall(CALL),
        HostedArguments('{"query": '),
        HostedArguments('"cats"}'),
        HostedResult(RESULT),
        Citation(SOURCE),
        Text("Cats purr."),
        TextEnd(),
    ]
    called = {**CALL, "input": {"query": "cats"}}
    cited = {"type": "text", "text": "", "citations": [SOURCE]}
    assert reader.to_message().content == ({"type": "text", "text": "Cats purr."}, cited, called, RESULT)


def test_a_pause_is_continued_and_its_usage_added() -> None:
    ledger = UsageLedger()
    reader = HostedAnswerReader(make_context(ledger=ledger))
    first = reader.read([*stream(START, *search(), stop("pause_turn")), PAUSED])
    assert isinstance(first[0], Started)
    assert not any(isinstance(event, Done) for event in first)
    assert (reader.take_pause(), reader.take_pause(), reader.is_done) == (True, False, False)
    rest = reader.read([*stream(START, *spoken("Done."), stop("end_turn")), result(cost=5.0)])
    usage = Usage(input_tokens=20, output_tokens=10, cost_usd=5.0)
    assert rest == [Text("Done."), TextEnd(), Done("end_turn", usage)]
    assert reader.usage_so_far() == (usage, False)
    assert (ledger.paid_usd, ledger.reported) == (5.0, Usage())


def test_searches_are_counted_and_priced_when_a_call_of_a_client_tool_ends_the_answer() -> None:
    ledger = UsageLedger()
    reader = HostedAnswerReader(make_context("look", ledger=ledger))
    ended = stop("tool_use")
    ended["usage"]["server_tool_use"] = {"web_search_requests": 2}  # type: ignore[typeddict-item]
    events = reader.read(stream(START, *search(), start_call(3, "look"), ended))
    assert [type(event) for event in events[-2:]] == [ToolCall, Done]
    assert reader.usage_so_far()[0] == Usage(10, output_tokens=5, web_searches=2, cost_usd=5.0)
    assert ledger.reported.web_searches == 2


def test_an_answer_that_always_pauses_ends() -> None:
    reader = HostedAnswerReader(make_context())
    paused: list[CliMessage] = [*stream(START, *search(), stop("pause_turn")), PAUSED]
    for _ in range(MAX_PAUSES):
        reader.read(paused)
        assert reader.take_pause()
    assert isinstance(reader.read(paused)[-1], Done)
    assert not reader.take_pause()


def test_input_that_is_cut_off_does_not_stop_the_answer() -> None:
    reader = HostedAnswerReader(make_context())
    events = reader.read(stream(START, *search(('{"query": "ca',)), stop("max_tokens")))
    assert isinstance(events[-1], Done)
    assert reader.to_message().content[0]["input"] == {"query": "ca"}


def test_structured_output_stays_in_one_piece() -> None:
    reader = HostedFormattedReader(make_context(), None)
    events = reader.read(
        [*stream(START, *search(), *spoken('{"a": 1}', cite(0)), stop("end_turn")), result()]
    )
    assert [event for event in events if isinstance(event, (Text, TextEnd))] == [Text('{"a": 1}')]
