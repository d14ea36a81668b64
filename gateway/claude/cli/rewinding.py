"""Let a conversation forget its newest messages, so that its process can serve another turn.

A start takes half a second of CPU, and this a few milliseconds:

    control_request interrupt              ──▶ …, result             only while the model answers
    control_request rewind_conversation    ──▶ {"rewound": true}     the message and all that followed are gone

From then on the CLI sends the same requests, byte for byte, as a process that never got those messages.
"""

import itertools
import time
from collections.abc import Iterator, MutableSequence
from uuid import uuid4

import gevent

from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, ProcessEnded
from gateway.claude.cli.protocol import ControlRequest, ResultMessage

FORGET_SECONDS = 3.0  # a slower process is not worth the wait
PAUSE_SECONDS = 0.01  # between two attempts


class TurnGivenUp(ProcessEnded):
    """The turn was given up, and its process serves another one."""

    def __init__(self) -> None:
        super().__init__(None, "the turn was given up")


def create_ids() -> Iterator[str]:
    """Yield UUIDs for messages that no other conversation has. A random one for each takes ten times as long.

    They differ at the beginning, because the CLI makes ids of its own from the first 24 characters of a message's.
    """
    ending = str(uuid4())[8:]
    return (f"{number:08x}{ending}" for number in itertools.count())


def interrupt(process: Process) -> None:
    """Stop the model. The CLI ends the turn with a `result` message. Raises ProcessEnded."""
    process.send({"type": "control_request", "request_id": "interrupt", "request": {"subtype": "interrupt"}})


def await_result(process: Process, deadline: float) -> ResultMessage | None:
    """Return the `result` of the turn that is ending; None if the deadline comes first. Raises ProcessEnded.

    Another greenlet may still read from the process. The CLI's messages wake it, and it leaves.
    """
    while process.is_being_read and time.monotonic() < deadline:
        gevent.sleep(PAUSE_SECONDS)
    while not process.is_being_read and (left := deadline - time.monotonic()) > 0:
        for message in process.read(left):
            if message["type"] == "result":
                return message
    return None


def rewind(process: Process, ids: MutableSequence[str], known: int, deadline: float) -> bool:
    """Take back all user messages but the first `known` of those with these ids, and everything that followed.

    The CLI refuses for some milliseconds after the end of a turn. Return True if it is done; an older CLI cannot. The
    ids of the messages are removed. Raises ProcessEnded.
    """
    request: ControlRequest = {
        "subtype": "rewind_conversation",
        "target_message_uuid": ids[known],
        "last_seen_user_message_uuid": ids[-1],
    }
    while (left := deadline - time.monotonic()) > 0:
        try:
            (result,) = process.send_requests([request], left)
        except (ControlRefused, ControlTimeout):
            return False
        if result.get("rewound") is True:
            del ids[known:]
            return True
        if result.get("reason") != "turn_running":
            return False
        gevent.sleep(PAUSE_SECONDS)
    return False
