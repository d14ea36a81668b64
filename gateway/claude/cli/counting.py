"""Count tokens in a CLI process that can count again and again.

The CLI asks Anthropic's counter for the size of its conversation when it is asked for the use of its context window. So
a process gets the messages, tells their size, and takes them back:

    user …, assistant …                                         the messages, as history
    control_request get_context_usage      ──▶ {"categories": [{"kind": "used", "tokens": 9}, {"kind": "free", …}]}
    control_request rewind_conversation    ──▶ {"rewound": true}    the conversation is empty again

The system text and the definitions of tools are counted as texts before the first message, in the form in which the
model reads them. The CLI would cut the descriptions of tools, and count each part with a request of its own.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from gateway.claude.cli.conversation import CONTROL_TIMEOUT_SECONDS, Conversation
from gateway.claude.cli.protocol import ControlResult, QueryRequest
from gateway.claude.cli.rewinding import rewind
from gateway.claude.cli.tools import tool_set
from gateway.errors import UpstreamError
from gateway.lenient_json import dumps
from gateway.tool_text import describe_tools
from gateway.turn import Block, Message, Turn


class CountingConversation(Conversation):
    """A conversation that stays empty between counts. `set_up` has given it a model, and nothing else."""

    _is_empty = True

    @property
    def is_clean(self) -> bool:
        """True if the process can count again. An older CLI cannot take messages back."""
        return self.process.is_alive and self._is_empty

    def count(self, turn: Turn) -> int:
        """Return the tokens of everything that `turn` would send.

        Raises UpstreamError, ControlRefused, ControlTimeout or ProcessEnded.
        """
        self.is_new = False
        self._tools = tool_set(turn)
        self._is_empty = False
        self.seed(_with_preamble(turn))
        question: QueryRequest = {"subtype": "get_context_usage"}
        (usage,) = self.process.send_requests([question], CONTROL_TIMEOUT_SECONDS)
        deadline = time.monotonic() + CONTROL_TIMEOUT_SECONDS
        self._is_empty = rewind(self.process, self._user_ids, 0, deadline)
        return _sum_used(usage)


def _with_preamble(turn: Turn) -> Sequence[Message]:
    """Return the messages with the system text and the tools before the first one, which is a user's.

    Only the API knows the words in which the model reads hosted tools. So their definitions are the least that counts.
    """
    definitions = [
        tool for tool in tool_set(turn).definitions(is_strict=False) if not tool.get("defer_loading")
    ]
    hosted = [dumps(tool.definition).decode() for tool in turn.hosted_tools]
    described = describe_tools(definitions) if definitions else ""
    texts = ["\n\n".join(turn.system), described, "\n".join(hosted)]
    preamble: list[Block] = [{"type": "text", "text": text} for text in texts if text.strip()]
    first, *others = turn.messages
    return [replace(first, content=(*preamble, *first.content)), *others]


def _sum_used(usage: ControlResult) -> int:
    """Add up the categories in use."""
    try:
        return sum(category["tokens"] for category in usage["categories"] if category["kind"] == "used")
    except (KeyError, TypeError) as error:
        raise UpstreamError("The Claude Code CLI reported the tokens in an unknown format.") from error
