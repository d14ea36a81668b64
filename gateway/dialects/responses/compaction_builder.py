"""Build a response whose only item is a compaction, as Codex asks for it with an item `compaction_trigger`.

{"type": "response.output_item.done", "item": {"type": "compaction", "encrypted_content": …}, …}
"""

from typing import Any, get_args

from gateway import turn
from gateway.dialects.common.answers import incomplete_answer
from gateway.dialects.common.compaction import write_summary
from gateway.dialects.responses.builder import Response, ResponseBuilder
from gateway.dialects.responses.outputs import Emit, Output
from gateway.hosted import HostedEvent


class CompactionBuilder(ResponseBuilder):
    """Build such a response from the events of the answer that is the summary. The summary is not streamed."""

    def __init__(self, response: Response, **options: Any) -> None:
        super().__init__(response, **options)
        self._texts: list[str] = []
        for hidden in (
            turn.Thinking,
            turn.Refusal,
            turn.ToolCall,
            turn.ToolArguments,
            *get_args(HostedEvent),
        ):
            self._handlers[hidden] = lambda event: None
        self._handlers[turn.Text] = lambda event: self._texts.append(event.text)
        self._handlers[turn.Retracted] = lambda event: self._texts.clear()

    def _done(self, event: turn.Done) -> None:
        summary = "".join(self._texts).strip()
        if not summary:
            raise incomplete_answer()
        self._open_item(_Compaction(*self._next_item("cmp"), summary=summary))
        super()._done(event)


class _Compaction(Output):
    """A conversation's summary, in the opaque form of `common.compaction`."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, summary: str) -> None:
        item = {"id": item_id, "type": "compaction", "encrypted_content": write_summary(summary)}
        super().__init__(item, index, emit)

    def _complete(self, status: str) -> None:
        """Change nothing: the item is complete from the start."""
