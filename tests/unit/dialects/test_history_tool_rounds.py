"""Tool calls and results of the past are repaired: their arguments, ids and order."""

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.common.tool_rounds import ORPHAN
from tests.support.client_bodies import tool_call
from tests.support.wide import wide_cases_except
from tests.unit.dialects.histories import (
    GO_ON,
    HELLO,
    Body,
    calls,
    chat,
    interrupted,
    messages,
    output,
    responses,
    result,
    text,
    use,
)

# Arguments


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"path":"a.py","content":"impo', {"path": "a.py", "content": "impo"}),
        ('{"path":"a.py","cont', {"path": "a.py"}),
        ('{"path":"a.py",', {"path": "a.py"}),
        ('{"a":1,}', {"a": 1}),
        ('{"a":"line\nbreak"', {"a": "line\nbreak"}),
        ("{", {}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ("[1, 2]", {"input": [1, 2]}),
        ("[1, ", {"input": [1]}),
        ("7", {"input": 7}),
        ("ls -la", {"input": "ls -la"}),
        ("{'a': 1}", {"input": "{'a': 1}"}),
        ('{"a": NaN}', {"input": '{"a": NaN}'}),
        ('{"a": 1} x', {"input": '{"a": 1} x'}),
        ([1], {"input": [1]}),
        (7, {"input": 7}),
        ("[" * 5_000, {"input": "[" * 5_000}),
    ],
)
def test_arguments_become_an_object(arguments: Any, expected: Body) -> None:
    for parsed in (
        chat(HELLO, calls("a", arguments=arguments), output("a"), GO_ON),
        messages(HELLO, {"role": "assistant", "content": [use("a") | {"input": arguments}]}, GO_ON),
        responses(
            HELLO, {"type": "function_call", "call_id": "a", "name": "f", "arguments": arguments}, GO_ON
        ),
    ):
        assert parsed.blocks[1] == [use("a", expected)]
        assert "tool-arguments" in parsed.codes


# Rounds


def test_missing_result_becomes_an_error() -> None:
    parsed = chat(HELLO, calls("a", "b"), output("b"), GO_ON)

    assert parsed.blocks[2] == [interrupted("a"), result("b", "ok"), text("go on")]
    assert parsed.codes == {"missing-result"}
    assert chat(HELLO, calls("a")).blocks[2] == [interrupted("a")]


def test_result_without_a_call_becomes_text() -> None:
    assert chat(HELLO, output("a", "lost")).blocks == [[text("hello"), text(ORPHAN), text("lost")]]
    late = chat(HELLO, calls("a"), GO_ON, {"role": "assistant", "content": "so"}, output("a", "late"), GO_ON)
    assert late.blocks[4] == [text(ORPHAN), text("late"), text("go on")]
    assert late.codes == {"missing-result", "orphan-result"}


def test_copies_of_results_are_dropped() -> None:
    assert chat(HELLO, calls("a"), output("a"), output("a"), GO_ON).blocks[2] == [
        result("a", "ok"),
        text("go on"),
    ]
    again = chat(HELLO, calls("a"), output("a"), {"role": "assistant", "content": "so"}, output("a"), GO_ON)
    assert again.blocks[4] == [text("go on")]
    assert again.codes == {"repeated-result"}
    other = chat(HELLO, calls("a"), output("a"), output("a", "other"))
    assert other.blocks[2] == [result("a", "ok"), text(ORPHAN), text("other")]


def test_repeated_ids_get_new_ones() -> None:
    parsed = chat(
        HELLO, calls("a"), output("a", "1"), calls("a"), output("a", "2"), calls("a_2"), output("a_2", "3")
    )

    assert [parsed.blocks[index][0]["id"] for index in (1, 3, 5)] == ["a", "a-2", "a_2-2"]
    assert [parsed.blocks[index] for index in (2, 4, 6)] == [
        [result("a", "1")],
        [result("a-2", "2")],
        [result("a_2-2", "3")],
    ]
    assert parsed.codes == {"tool-call-id"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (("a", "a_1"), ["a", "a_1-2"]),
        (("a_1", "a"), ["a_1", "a-2"]),
        (("call", "", ""), ["call", "call-1", "call-2"]),
        (("a_1", "a_2", "a-2"), ["a_1", "a_2", "a-2"]),
    ],
)
def test_no_id_looks_like_a_copy_of_another(sent: tuple[str, ...], expected: list[str]) -> None:
    rounds = [part for number, id_ in enumerate(sent) for part in (calls(id_), output(id_, str(number)))]
    parsed = chat(HELLO, *rounds)
    assert [blocks[0]["id"] for blocks in parsed.blocks[1::2]] == expected


@pytest.mark.parametrize("missing", [None, "", " ", [], 0.5])
def test_missing_ids_are_made_up(missing: Any) -> None:
    parsed = chat(HELLO, calls(missing, missing), output(missing, "1"), output("call_9", "2"), GO_ON)

    ids = [block["id"] for block in parsed.blocks[1]]
    assert ids == ["call-1", "call-2"]
    assert parsed.blocks[2] == [result("call-1", "2"), result("call-2", "1"), text("go on")] or parsed.blocks[
        2
    ] == [
        result("call-1", "1"),
        result("call-2", "2"),
        text("go on"),
    ]


def test_call_that_is_sent_twice_counts_once() -> None:
    block = use("a", {"x": 1})
    twice = calls("a", arguments='{"x": 1}', content=[block])
    assert chat(HELLO, twice, output("a"), GO_ON).blocks[1:3] == [[block], [result("a", "ok"), text("go on")]]
    old = {**calls("a", arguments='{"x": 1}'), "function_call": {"name": "f", "arguments": '{"x":1}'}}
    assert chat(HELLO, old, output("a"), GO_ON).blocks[1] == [block]
    assert chat(HELLO, old, output("a"), GO_ON).codes == {"repeated-call"}


def test_different_calls_of_one_id_are_kept_apart() -> None:
    both = {"role": "assistant", "tool_calls": [tool_call("a", "f", "{}"), tool_call("a", "g", "{}")]}
    parsed = chat(HELLO, both, output("a", "1"), output("a", "2"))

    assert [(block["id"], block["name"]) for block in parsed.blocks[1]] == [("a", "f"), ("a-2", "g")]
    assert parsed.blocks[2] == [result("a", "1"), result("a-2", "2")]


@pytest.mark.parametrize(
    ("call", "block"),
    [
        ({"id": "a", "type": "function", "function": None}, use("a", name="unknown_tool")),
        ({"id": "a", "function": {"name": " ", "arguments": "{}"}}, use("a", name="unknown_tool")),
        ({"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}, use("a", {"input": "x"})),
        ({"id": "a", "name": "f", "arguments": {"x": 1}}, use("a", {"x": 1})),
        ({"id": 7, "type": "function", "function": {"name": "f"}}, use("7")),
        ({"id": "a", "type": "mcp", "server": "s"}, text('[mcp: {"server": "s"}]')),
        ("f()", text("f()")),
    ],
)
def test_odd_calls_are_read(call: Any, block: Body) -> None:
    assert chat(HELLO, {"role": "assistant", "tool_calls": [call]}, GO_ON).blocks[1] == [block]


WRITERS: dict[str, Callable[[int], list[Body]]] = {
    "one id": lambda count: [
        part for number in range(count) for part in (counted_call("a", number), output("a"))
    ],
    "no ids": lambda count: [
        part for number in range(count) for part in (counted_call("", number), output(""))
    ],
    "one answer": lambda count: [
        *(counted_call(f"a{number}", number) for number in range(count)),
        *(output(f"a{number}") for number in range(count)),
    ],
    "one answer without ids": lambda count: [
        *(counted_call("", number) for number in range(count)),
        *(output("") for _ in range(count)),
    ],
    "one answer of one id": lambda count: [counted_call("a", number) for number in range(count)],
    "orphans": lambda count: [output(f"a{number}", str(number)) for number in range(count)],
}


@pytest.mark.parametrize("write", wide_cases_except(WRITERS, "one id", "orphans"))
def test_time_for_repairs_grows_no_faster_than_the_conversation(write: Callable[[int], list[Body]]) -> None:
    def measure(count: int) -> float:
        body = {"messages": [HELLO, *write(count), GO_ON]}
        gc.collect()
        gc.disable()  # its work grows with all objects of the tests
        try:
            started = time.thread_time()
            parse_chat(body)
            return time.thread_time() - started
        finally:
            gc.enable()

    # The factor would be 64 if each call were compared with all others.
    assert measure(2_000) < 32 * min(measure(250) for _ in range(3))


def counted_call(call_id: str, number: int) -> Body:
    return calls(call_id, arguments=f'{{"number": {number}}}')


def test_results_of_functions_find_their_calls_by_name() -> None:
    both = {"role": "assistant", "tool_calls": [tool_call("a", "f", "{}"), tool_call("b", "g", "{}")]}
    of_g = {"role": "tool", "tool_name": "g", "content": "G"}
    function = {"role": "function", "name": "f", "content": "F"}

    assert chat(HELLO, both, of_g, function).blocks[2] == [result("a", "F"), result("b", "G")]
    assert chat(HELLO, function).blocks == [[text("hello"), text(ORPHAN), text("F")]]
