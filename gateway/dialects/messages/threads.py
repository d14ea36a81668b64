"""Threads of the Messages API: the server holds the conversation, and a request sends only its new messages.

`{"thread": {"type": "create"}}` asks the server to hold the conversation under the id of its answer, and
`{"thread": {"type": "continue", "previous_message_id": "msg_1"}}` continues it. Each answer can be continued once. The
protocol is documented by Anthropic's SDKs, whose tool runners use it by default: `BetaMessageThreadParam`, and the
classes of errors named `Thread…Error`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.json_types import Body
from gateway.errors import ThreadRejected

CREATE, CONTINUE = "create", "continue"
#: The fields that belong to the thread. A request that continues it takes them from there.
FIXED_FIELDS = ("system", "tools")


@dataclass(frozen=True, slots=True)
class ThreadRequest:
    """The field `thread` of a request. `previous_id` names the answer to continue; it is None for a new thread."""

    previous_id: str | None = None


def read_thread(body: Body) -> ThreadRequest | None:
    """Return how the request uses a thread, None if it does not. Raises InvalidRequest."""
    thread = body.get("thread")
    if not thread:
        return None
    kind, previous = thread.get("type"), thread.get("previous_message_id")
    if kind not in (CREATE, CONTINUE):
        raise invalid_field("thread.type", f"Expected '{CREATE}' or '{CONTINUE}'.")
    if kind == CREATE:
        return ThreadRequest()
    if not isinstance(previous, str) or not previous:
        raise invalid_field("thread.previous_message_id", "Expected the id of the previous answer.")
    return ThreadRequest(previous)


def fixed_fields(body: Body) -> Body:
    """Return the fields of the request that belong to its new thread."""
    return {name: body[name] for name in FIXED_FIELDS if body.get(name)}


def continue_body(body: Body, fixed: Body, held: list[Body]) -> Body:
    """Return the body of a request with everything that its thread holds. Raises ThreadRejected.

    >>> continue_body({"messages": ["second"]}, {"system": "Be brief."}, ["first"])
    {'messages': ['first', 'second'], 'system': 'Be brief.'}
    """
    changed = [name for name in FIXED_FIELDS if body.get(name) and body[name] != fixed.get(name)]
    if changed:
        names = " and ".join(f"`{name}`" for name in changed)
        raise ThreadRejected(
            f"A thread keeps the {names} that it was created with. Leave the field out, or create a new thread.",
            param=changed[0],
            code="thread_fingerprint_mismatch",
        )
    return {**body, **fixed, "messages": [*held, *body["messages"]]}


def number_messages(messages: list[Any], answer_id: str, answer: Body) -> Mapping[str, Body]:
    """Return the new messages of a thread, and the answer to them, by the ids under which they are stored."""
    reply = {"role": answer["role"], "content": answer["content"]}
    return {f"{answer_id}/{index}": message for index, message in enumerate(messages)} | {answer_id: reply}
