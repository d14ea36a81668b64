"""Events of turns as legacy completions. https://platform.openai.com/docs/api-reference/completions/object

Thinking has no place in this shape and is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.dialects.chat.answers import finish_reason, usage_object
from gateway.dialects.common import sse
from gateway.errors import GatewayError, UpstreamError
from gateway.turn import Done, Event, Idle, Started, Text, sum_usage


class _Base:
    """What the stream and the whole answer have in common. `echoes` holds what stands before each choice."""

    def __init__(self, answer_id: str, created: int, echoes: Sequence[str]) -> None:
        self._common = {"id": answer_id, "object": "text_completion", "created": created, "model": ""}
        self._echoes = echoes
        self._done: dict[int, Done] = {}

    def _name(self, event: Started) -> None:
        """All chunks name the model of the first Started."""
        self._common["model"] = self._common["model"] or event.model

    def _usage(self) -> dict[str, Any]:
        return usage_object(sum_usage(done.usage for done in self._done.values()))


class StreamEncoder(_Base):
    """The stream of all choices, merged. Feed it batches of events with the index of their choice.

    The usage, summed, and `[DONE]` come with the last choice's Done.
    """

    def __init__(self, answer_id: str, created: int, echoes: Sequence[str], include_usage: bool) -> None:
        super().__init__(answer_id, created, echoes)
        self._include_usage = include_usage

    def encode(self, batch: Iterable[Event], index: int = 0) -> bytes:
        """The chunks of all events of `batch`, which belong to choice `index`, one after the other."""
        return sse.one_line(b"".join([self._event(event, index) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """What a stream that fails ends with: the error alone, and no `[DONE]`."""
        return sse.one_line(sse.data(sse.dumps(error.body())))

    def _event(self, event: Event, index: int) -> bytes:
        if isinstance(event, Text):
            return self._chunk(event.text, index)
        if isinstance(event, Started):
            self._name(event)
            return self._chunk(self._echoes[index], index) if self._echoes[index] else b""
        if isinstance(event, Done):
            return self._end(event, index)
        return sse.KEEP_ALIVE if isinstance(event, Idle) else b""

    def _chunk(self, text: str, index: int, reason: str | None = None) -> bytes:
        choice = {"text": text, "index": index, "logprobs": None, "finish_reason": reason}
        return sse.data(sse.dumps({**self._common, "choices": [choice]}))

    def _end(self, event: Done, index: int) -> bytes:
        self._done[index] = event
        finish = self._chunk("", index, finish_reason(event.stop_reason))
        if len(self._done) < len(self._echoes):
            return finish
        counted = {**self._common, "choices": [], "usage": self._usage()}
        usage = sse.data(sse.dumps(counted)) if self._include_usage else b""
        return finish + usage + sse.DONE


class Collector(_Base):
    """All choices, sent whole. Feed it batches of events with the index of their choice, then take `body`."""

    def __init__(self, answer_id: str, created: int, echoes: Sequence[str]) -> None:
        super().__init__(answer_id, created, echoes)
        self._texts = [[echo] for echo in echoes]

    def add(self, batch: Iterable[Event], index: int = 0) -> None:
        """Take in events of choice `index`."""
        for event in batch:
            if isinstance(event, Text):
                self._texts[index].append(event.text)
            elif isinstance(event, Started):
                self._name(event)
            elif isinstance(event, Done):
                self._done[index] = event

    def body(self) -> dict[str, Any]:
        """The `text_completion`. Raises UpstreamError if an answer has not come to its end."""
        if len(self._done) < len(self._texts):
            raise UpstreamError("The answer broke off before its end.")
        choices = [self._choice(index) for index in range(len(self._texts))]
        return {**self._common, "choices": choices, "usage": self._usage()}

    def _choice(self, index: int) -> dict[str, Any]:
        reason = finish_reason(self._done[index].stop_reason)
        return {
            "text": "".join(self._texts[index]),
            "index": index,
            "logprobs": None,
            "finish_reason": reason,
        }
