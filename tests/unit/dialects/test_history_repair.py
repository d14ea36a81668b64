"""A conversation is never refused because of its past: what the API would not accept there is repaired."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.common.conversation import NUDGE, OPENING
from gateway.dialects.common.input_items import as_list
from gateway.dialects.common.tool_rounds import INTERRUPTED, ORPHAN
from gateway.dialects.messages.request import parse_request as parse_messages
from gateway.dialects.responses.items import complete_items
from gateway.dialects.responses.request import parse_request as parse_responses
from gateway.repairs import Repair
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.messages import MessagesSchema
from gateway.schemas.responses import ResponsesSchema
from gateway.turn import Message
from tests.support.client_bodies import PNG, PNG_URL, tool_call

Body = dict[str, Any]
HELLO: Body = {"role": "user", "content": "hello"}
GO_ON: Body = {"role": "user", "content": "go on"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
SCREENSHOT = {"type": "computer_screenshot", "image_url": PNG_URL}

CHAT, MESSAGES, RESPONSES = ChatCompletionSchema(), MessagesSchema(), ResponsesSchema()


class Parsed:
    """The messages of a request in any dialect, with its repairs."""

    def __init__(
        self, messages: tuple[Message, ...], repaired: tuple[Repair, ...], ignored: tuple[str, ...]
    ) -> None:
        self.messages = messages
        self.codes = {repair.code for repair in repaired}
        self.ignored = ignored
        assert_follows_rules(messages)

    @property
    def blocks(self) -> list[list[Body]]:
        return [list(message.content) for message in self.messages]


def chat(*messages: Body) -> Parsed:
    parsed = parse_chat(CHAT.load({"messages": list(messages)}))
    return Parsed(parsed.turn.messages, parsed.repaired, parsed.ignored)


def messages(*given: Body) -> Parsed:
    parsed = parse_messages(MESSAGES.load({"messages": list(given), "max_tokens": 100}))
    return Parsed(parsed.turn.messages, parsed.repaired, parsed.ignored)


def responses(*items: Any, **fields: Any) -> Parsed:
    body = RESPONSES.load({"input": list(items), **fields})
    parsed = parse_responses(body, as_list(body["input"]))
    return Parsed(parsed.turn.messages, parsed.repaired, parsed.ignored)


def assert_follows_rules(messages: tuple[Message, ...]) -> None:
    """Check the rules of the Messages API for roles, tool rounds and texts."""
    pending: list[str] = []
    seen: set[str] = set()
    for index, message in enumerate(messages):
        assert message.role == ("user", "assistant")[index % 2]
        assert message.content
        kinds = [block["type"] for block in message.content]
        results = [block["tool_use_id"] for block in message.content if block["type"] == "tool_result"]
        assert results == pending
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        pending = [block["id"] for block in message.content if block["type"] == "tool_use"]
        assert not seen & set(pending)
        assert len(set(pending)) == len(pending)
        seen |= set(pending)
        for block in message.content:
            assert block["type"] != "text" or block["text"].strip()
            assert block["type"] != "tool_use" or (isinstance(block["input"], dict) and block["name"].strip())
        json.dumps(message.content)
    assert messages[-1].role == "user"


def text(content: str) -> Body:
    return {"type": "text", "text": content}


def use(call_id: str, given: Any = None, name: str = "f") -> Body:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given or {}}


def result(call_id: str, *content: Body | str, **fields: Any) -> Body:
    blocks = [text(part) if isinstance(part, str) else part for part in content]
    return {"type": "tool_result", "tool_use_id": call_id, "content": blocks, **fields}


def interrupted(call_id: str) -> Body:
    return result(call_id, INTERRUPTED, is_error=True)


def calls(*ids: Any, arguments: Any = "{}", **fields: Any) -> Body:
    return {
        "role": "assistant",
        "tool_calls": [tool_call(call_id, "f", arguments) for call_id in ids],
        **fields,
    }


def output(call_id: Any, content: Any = "ok", **fields: Any) -> Body:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **fields}


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


@pytest.mark.parametrize(
    "write",
    [
        lambda count: [part for number in range(count) for part in (counted_call("a", number), output("a"))],
        lambda count: [part for number in range(count) for part in (counted_call("", number), output(""))],
        lambda count: [
            *(counted_call(f"a{number}", number) for number in range(count)),
            *(output(f"a{number}") for number in range(count)),
        ],
        lambda count: [
            *(counted_call("", number) for number in range(count)),
            *(output("") for _ in range(count)),
        ],
        lambda count: [counted_call("a", number) for number in range(count)],
        lambda count: [output(f"a{number}", str(number)) for number in range(count)],
    ],
    ids=["one id", "no ids", "one answer", "one answer without ids", "one answer of one id", "orphans"],
)
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
    assert measure(4_000) < 32 * min(measure(500) for _ in range(3))


def counted_call(call_id: str, number: int) -> Body:
    return calls(call_id, arguments=f'{{"number": {number}}}')


def test_results_of_functions_find_their_calls_by_name() -> None:
    both = {"role": "assistant", "tool_calls": [tool_call("a", "f", "{}"), tool_call("b", "g", "{}")]}
    of_g = {"role": "tool", "tool_name": "g", "content": "G"}
    function = {"role": "function", "name": "f", "content": "F"}

    assert chat(HELLO, both, of_g, function).blocks[2] == [result("a", "F"), result("b", "G")]
    assert chat(HELLO, function).blocks == [[text("hello"), text(ORPHAN), text("F")]]


# Content


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ("plain", text("plain")),
        ({"text": "no type"}, text("no type")),
        ({"type": "input_audio", "input_audio": {"data": "A" * 2000, "format": "wav"}},
         text('[input_audio: {"input_audio": {"data": "(2000 characters left out)", "format": "wav"}}]')),
        ({"type": "container_upload", "file_id": "f"}, text('[container_upload: {"file_id": "f"}]')),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_read_become_text_in_the_past(part: Any, block: Body) -> None:
    old = {"role": "user", "content": [text("see"), part]}
    answer = {"role": "assistant", "content": "ok"}
    for parsed in (chat(old, answer, GO_ON), messages(old, answer, GO_ON), responses(old, answer, GO_ON)):
        assert parsed.blocks[0][0] == text("see")
        assert parsed.blocks[0][1]["type"] == "text"
        assert parsed.codes == {"part-as-text"}
    assert chat(old, answer, GO_ON).blocks[0][1] == block


def test_server_tools_of_other_providers_become_text() -> None:
    answer = {
        "role": "assistant",
        "content": [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [
                    {"type": "web_search_result", "title": "X", "url": "https://x", "encrypted_content": "E"}
                ],
            },
            text("Found."),
        ],
    }
    parsed = messages(HELLO, answer, GO_ON)

    assert [block["text"] for block in parsed.blocks[1]] == [
        '[server_tool_use: {"name": "web_search", "input": {"query": "x"}}]',
        '[web_search_tool_result: {"tool_use_id": "s", "content": [{"title": "X", "url": "https://x"}]}]',
        "Found.",
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "image", "data": PNG, "mimeType": "image/png"}, IMAGE),
        ({"type": "resource", "resource": {"uri": "file:///a", "mimeType": "image/png", "blob": PNG}}, IMAGE),
        ({"type": "audio", "data": "A" * 3000, "mimeType": "audio/wav"},
         text('[audio: {"data": "(3000 characters left out)", "mimeType": "audio/wav"}]')),
        ({"type": "tool_reference", "tool_name": "f"}, text('[tool_reference: {"tool_name": "f"}]')),
        ({"type": "search_result", "source": "s", "title": "t", "content": [text("x")], "citations": {}},
         {"type": "search_result", "source": "s", "title": "t", "content": [text("x")]}),
        ({"temperature": 20}, text('{"temperature": 20}')),
    ],
)  # fmt: skip
def test_parts_of_new_results_are_never_refused(part: Any, block: Body) -> None:
    assert chat(HELLO, calls("a"), output("a", [part])).blocks[2] == [result("a", block)]
    answer = {"role": "assistant", "content": [use("a")]}
    new = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [part]}]}
    assert messages(HELLO, answer, new).blocks[2] == [result("a", block)]
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    item = {"type": "function_call_output", "call_id": "a", "output": [part]}
    assert responses(HELLO, call, item).blocks[2] == [result("a", block)]


# Items


@pytest.mark.parametrize(
    ("call", "answer", "blocks"),
    [
        ({"type": "custom_tool_call", "call_id": "a", "name": "apply_patch", "input": "*** Begin"},
         {"type": "custom_tool_call_output", "call_id": "a", "output": "Done"},
         [use("a", {"input": "*** Begin"}, "apply_patch"), result("a", "Done")]),
        ({"type": "local_shell_call", "call_id": "a", "action": {"type": "exec", "command": ["ls"]}},
         {"type": "local_shell_call_output", "id": "a", "output": "x"},
         [use("a", {"type": "exec", "command": ["ls"]}, "local_shell"), result("a", "x")]),
        ({"type": "shell_call", "call_id": "a", "action": {"commands": ["ls"]}},
         {"type": "shell_call_output", "call_id": "a", "output": [{"stdout": "x", "stderr": ""}]},
         [use("a", {"commands": ["ls"]}, "shell"), result("a", '{"stdout": "x"}')]),
        ({"type": "apply_patch_call", "call_id": "a", "operation": {"type": "delete_file", "path": "x"}},
         {"type": "apply_patch_call_output", "call_id": "a", "status": "completed", "output": "ok"},
         [use("a", {"type": "delete_file", "path": "x"}, "apply_patch"), result("a", "ok")]),
        ({"type": "computer_call", "call_id": "a", "action": {"type": "screenshot"}},
         {"type": "computer_call_output", "call_id": "a", "output": SCREENSHOT},
         [use("a", {"type": "screenshot"}, "computer"), result("a", IMAGE)]),
        ({"type": "tool_search_call", "call_id": "a", "execution": "client", "arguments": {"query": "x"}},
         {"type": "tool_search_output", "call_id": "a", "tools": [{"name": "f"}]},
         [use("a", {"query": "x"}, "tool_search"), result("a", '{"tools": [{"name": "f"}]}')]),
    ],
)  # fmt: skip
def test_calls_that_clients_run_are_native(call: Body, answer: Body, blocks: list[Body]) -> None:
    parsed = responses(HELLO, call, answer, GO_ON)

    assert parsed.blocks[1:] == [[blocks[0]], [blocks[1], text("go on")]]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "x"}},
         '[web_search_call: {"action": {"query": "x"}}]'),
        ({"type": "mcp_call", "id": "m", "server_label": "s", "name": "f", "arguments": "{}", "output": "42"},
         '[mcp_call: {"server_label": "s", "name": "f", "arguments": "{}", "output": "42"}]'),
        ({"type": "mcp_approval_request", "id": "m", "name": "f"}, '[mcp_approval_request: {"name": "f"}]'),
        ({"type": "code_interpreter_call", "id": "c", "code": "1+1", "outputs": None},
         '[code_interpreter_call: {"code": "1+1"}]'),
        ({"type": "file_search_call", "id": "f", "queries": ["q"]}, '[file_search_call: {"queries": ["q"]}]'),
        ({"type": "image_generation_call", "id": "i", "result": "A" * 5000},
         '[image_generation_call: {"result": "(5000 characters left out)"}]'),
        ({"type": "unheard_of", "note": "hm"}, '[unheard_of: {"note": "hm"}]'),
    ],
)  # fmt: skip
def test_items_about_a_server_become_text(item: Body, expected: str) -> None:
    parsed = responses(HELLO, item, {"role": "assistant", "content": "Yes."}, GO_ON)

    assert parsed.blocks[1] == [text(expected), text("Yes.")]
    assert parsed.codes == {"part-as-text"}
    assert responses(HELLO, item, GO_ON).blocks[1:] == [[text(expected)], [text("go on")]]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "compaction", "encrypted_content": "E"},
        {"type": "compaction_summary", "encrypted_content": "E"},
        {"type": "ghost_snapshot", "ghost_commit": {}},
        {"type": "mcp_list_tools", "server_label": "s", "tools": []},
        {"type": "item_reference", "id": "msg_gone"},
        {"type": "reasoning", "summary": [], "encrypted_content": "E"},
    ],
)
def test_items_without_content_for_the_model_are_left_out(item: Body) -> None:
    parsed = responses(HELLO, item, {"role": "assistant", "content": "Yes."}, GO_ON)

    assert parsed.blocks[1] == [text("Yes.")]
    assert parsed.codes == {"item-left-out"}


def test_messages_of_other_agents_are_read() -> None:
    item = {
        "type": "agent_message",
        "author": "/root/worker",
        "content": [
            {"type": "input_text", "text": "Done."},
            {"type": "encrypted_content", "encrypted_content": "E"},
        ],
    }
    assert responses(HELLO, item).blocks == [[text("hello"), text("/root/worker:"), text("Done.")]]


@pytest.mark.parametrize("item", ["hi", {"content": "hi"}, {"type": None, "content": "hi"}])
def test_items_without_a_type_are_messages_of_the_user(item: Any) -> None:
    parsed = responses(item, {"role": "assistant", "content": "Yes."}, GO_ON)
    assert parsed.blocks[0] == [text("hi")]


def test_messages_of_unknown_roles_name_their_role() -> None:
    old, answer = {"role": "critic", "content": "Weak."}, {"role": "assistant", "content": "Yes."}
    for parsed in (chat(HELLO, old, answer, GO_ON), messages(HELLO, old, answer, GO_ON)):
        assert parsed.blocks[0] == [text("hello"), text("critic:"), text("Weak.")]
        assert parsed.codes == {"unknown-role"}


# Beginnings, speakers, images


def test_conversation_of_system_text_begins_with_the_model() -> None:
    for role in ("system", "developer"):
        assert chat({"role": role, "content": "Greet."}).blocks == [[text(OPENING)]]
    assert responses(instructions="Greet.").blocks == [[text(OPENING)]]
    assert messages({"role": "system", "content": "Greet."}).blocks == [[text(OPENING)]]
    later = chat({"role": "system", "content": "Greet."}, {"role": "assistant", "content": "Hi."}, GO_ON)
    assert later.blocks[0] == [text(OPENING)]
    assert later.codes == {"user-message-added"}
    assert chat(HELLO, {"role": "assistant", "content": "Hi."}).blocks[2] == [text(NUDGE)]


def test_speakers_are_named_before_their_text() -> None:
    parsed = chat({**HELLO, "name": "ann"}, {**GO_ON, "name": "bob"})

    assert parsed.blocks == [[text("ann:"), text("hello"), text("bob:"), text("go on")]]
    assert chat({"role": "user", "content": "", "name": "ann"}, HELLO).blocks == [[text("hello")]]


def test_images_of_ollama_are_delivered() -> None:
    # https://github.com/ollama/ollama/blob/main/docs/api.md
    parsed = chat({**HELLO, "images": [PNG, "?", PNG_URL]})

    assert parsed.blocks == [[text("hello"), IMAGE, IMAGE]]
    assert parsed.ignored == ("messages[0].images[1]",)


def test_unknown_fields_of_messages_are_named_once() -> None:
    answer = {"role": "assistant", "content": "a", "mood": "", "name": "bot", "images": [PNG]}
    parsed = chat({**HELLO, "mood": "good"}, answer, {**GO_ON, "mood": "x"})
    assert parsed.ignored == ("messages[0].mood", "messages[1].images", "messages[1].name")


# Stored conversations


def test_damaged_session_goes_on() -> None:
    stored = [HELLO, {"role": "assistant", "tool_calls": [tool_call("a", "f", '{"path":"a.p')]}]
    parsed = parse_chat(CHAT.load({"messages": [GO_ON]}), stored)

    assert list(parsed.turn.messages[1].content) == [use("a", {"path": "a.p"})]
    assert list(parsed.turn.messages[2].content) == [interrupted("a"), text("go on")]
    assert parsed.repaired[0] == Repair("tool-arguments", "session[1].tool_calls[0].function.arguments")


def test_damaged_chain_of_responses_goes_on() -> None:
    stored = complete_items(
        [HELLO, {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":[1,'}]
    )
    stored += complete_items(
        [{"type": "unheard_of", "note": "hm"}, "bare", {"type": "item_reference", "id": "x"}]
    )
    parsed = parse_responses(RESPONSES.load({"input": "go on"}), [GO_ON], stored)

    assert [list(message.content) for message in parsed.turn.messages] == [
        [text("hello")],
        [text('[unheard_of: {"note": "hm"}]'), use("a", {"x": [1]})],
        [interrupted("a"), text("bare"), text("go on")],
    ]


# Any conversation

IDS = st.sampled_from(["a", "b", "c", "", None])
TEXTS = st.sampled_from(["", " ", "hi", "ok"])
ARGUMENTS = st.sampled_from(["{}", '{"a": 1}', '{"a": "x', "[1]", "x", "", None, {"b": 2}, 5])
PARTS = st.lists(
    st.sampled_from(
        [
            text("one"), text(" "), {"type": "refusal", "refusal": "no"}, {"type": "video"}, "bare", 5,
            {"type": "thinking", "thinking": "hm"}, {"type": "image", "data": PNG}, use("a"), use("b", {"x": 1}),
            result("a", "r"), {"type": "tool_result"}, {"type": "server_tool_use", "name": "web_search"},
        ]
    ),
    max_size=3,
)  # fmt: skip
CALLS = st.lists(
    st.builds(lambda call_id, given: tool_call(call_id, "f", given), IDS, ARGUMENTS) | st.just({"id": "a"}),
    max_size=3,
)
CHAT_MESSAGES = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, TEXTS | PARTS),
    st.builds(
        lambda content, sent: {"role": "assistant", "content": content, "tool_calls": sent},
        TEXTS | PARTS,
        CALLS,
    ),
    st.builds(lambda call_id, content: output(call_id, content), IDS, TEXTS | PARTS),
    st.builds(
        lambda name: {"role": "function", "name": name, "content": "F"}, st.sampled_from(["f", "g", None])
    ),
    st.just({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}),
    st.just({"role": "critic", "content": "x"}),
    st.builds(lambda content: {"role": "system", "content": content}, TEXTS | PARTS),
)
ITEMS = st.one_of(
    CHAT_MESSAGES,
    st.builds(
        lambda kind, call_id, given: {"type": kind, "call_id": call_id, "name": "f", "arguments": given},
        st.sampled_from(
            ["function_call", "custom_tool_call", "shell_call", "web_search_call", "mcp_call", "unheard"]
        ),
        IDS,
        ARGUMENTS,
    ),
    st.builds(
        lambda kind, call_id, content: {"type": kind, "call_id": call_id, "output": content},
        st.sampled_from(["function_call_output", "shell_call_output", "unheard_of_output"]),
        IDS,
        TEXTS | PARTS,
    ),
    st.sampled_from(
        ["bare", 5, {"content": "x"}, {"type": "reasoning", "summary": []}, {"type": "compaction"}]
    ),
)
ANSWER = {"role": "assistant", "content": "An answer."}


@settings(deadline=None, max_examples=100)
@given(st.lists(CHAT_MESSAGES, max_size=8))
def test_any_past_of_a_chat_follows_the_rules_of_the_api(past: list[Body]) -> None:
    assert chat(*past, ANSWER, GO_ON).blocks[-1][-1] == text("go on")


@settings(deadline=None, max_examples=100)
@given(st.lists(ITEMS, max_size=8))
def test_any_past_of_items_follows_the_rules_of_the_api(past: list[Any]) -> None:
    assert responses(*past, ANSWER, GO_ON).blocks[-1][-1] == text("go on")


@settings(deadline=None, max_examples=100)
@given(st.lists(CHAT_MESSAGES, max_size=8))
def test_any_past_of_messages_follows_the_rules_of_the_api(past: list[Body]) -> None:
    given = [{"content": "", **message} for message in past]
    assert messages(*given, ANSWER, GO_ON).blocks[-1][-1] == text("go on")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(ITEMS, max_size=4), min_size=2, max_size=4))
def test_longer_conversation_begins_with_the_messages_of_the_shorter_one(rounds: list[list[Any]]) -> None:
    """The prompt cache needs this: each request repeats the last one, and adds to it."""
    sent: list[Any] = []
    earlier: tuple[Message, ...] = ()
    for added in rounds:
        sent += [*added, ANSWER, GO_ON]
        longer = responses(*sent).messages
        assert longer[: len(earlier)] == earlier
        earlier = longer
        sent.append(ANSWER)
