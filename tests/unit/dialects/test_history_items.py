"""Items of the Responses API that other providers wrote are read, become text, or are left out."""

from typing import Any

import pytest

from tests.unit.dialects.histories import (
    GO_ON,
    HELLO,
    IMAGE,
    SCREENSHOT,
    Body,
    chat,
    messages,
    responses,
    result,
    text,
    use,
)


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
