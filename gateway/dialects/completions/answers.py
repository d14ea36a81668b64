"""Encode events as legacy completions. Thinking has no field in this shape and is left out.

https://platform.openai.com/docs/api-reference/completions/object
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.dialects.common import sse
from gateway.dialects.common.answers import incomplete_answer
from gateway.dialects.common.field_errors import FieldNames, translate_error
from gateway.dialects.common.openai_answers import completion_usage, finish_reason
from gateway.errors import GatewayError
from gateway.lenient_json import dumps
from gateway.turn import Done, Event, Idle, Started, Text, sum_usage

#: Concepts that errors and ignored parameters name, with other names in this dialect. See `common.field_errors`.
FIELD_NAMES: FieldNames = {}


class _Answers:
    """The common part of stream and whole answer. `echoes` holds the text before each choice, "" for none."""

    def __init__(self, answer_id: str, created: int, echoes: Sequence[str]) -> None:
        self._common = {"id": answer_id, "object": "text_completion", "created": created, "model": ""}
        self._echoes = echoes
        self._done: dict[int, Done] = {}

    def _set_model(self, event: Started) -> None:
        """Name the model of the first `Started` in all chunks."""
        self._common["model"] = self._common["model"] or event.model

    def _choice(self, text: str, index: int, reason: str | None) -> dict[str, Any]:
        return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}

    def _usage(self) -> dict[str, Any]:
        return completion_usage(sum_usage(done.usage for done in self._done.values()))


class StreamEncoder(_Answers):
    """Encode all choices as one stream. The summed usage and `[DONE]` follow the `Done` of the last choice."""

    field_names = FIELD_NAMES

    def __init__(self, answer_id: str, created: int, echoes: Sequence[str], include_usage: bool) -> None:
        super().__init__(answer_id, created, echoes)
        self._include_usage = include_usage

    def encode(self, batch: Iterable[Event], index: int = 0) -> bytes:
        """Return the chunks for all events of `batch`, which belong to choice `index`."""
        return sse.one_line(b"".join([self._encode(event, index) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """Return the error alone: a failed stream has no `[DONE]`."""
        return sse.one_line(sse.data(dumps(translate_error(error, FIELD_NAMES).body())))

    def _encode(self, event: Event, index: int) -> bytes:
        if isinstance(event, Text):
            return self._chunk(event.text, index)
        if isinstance(event, Started):
            self._set_model(event)
            return self._chunk(self._echoes[index], index) if self._echoes[index] else b""
        if isinstance(event, Done):
            return self._end(event, index)
        return sse.KEEP_ALIVE if isinstance(event, Idle) else b""

    def _chunk(self, text: str, index: int, reason: str | None = None) -> bytes:
        return sse.data(dumps({**self._common, "choices": [self._choice(text, index, reason)]}))

    def _end(self, event: Done, index: int) -> bytes:
        self._done[index] = event
        last = self._chunk("", index, finish_reason(event.stop_reason))
        if len(self._done) < len(self._echoes):
            return last
        counted = {**self._common, "choices": [], "usage": self._usage()}
        usage = sse.data(dumps(counted)) if self._include_usage else b""
        return last + usage + sse.DONE


class Collector(_Answers):
    """Collect all choices as one `text_completion`."""

    field_names = FIELD_NAMES

    def __init__(self, answer_id: str, created: int, echoes: Sequence[str]) -> None:
        super().__init__(answer_id, created, echoes)
        self._texts = [[echo] for echo in echoes]

    def add(self, batch: Iterable[Event], index: int = 0) -> None:
        """Add events of choice `index`."""
        for event in batch:
            if isinstance(event, Text):
                self._texts[index].append(event.text)
            elif isinstance(event, Started):
                self._set_model(event)
            elif isinstance(event, Done):
                self._done[index] = event

    def body(self) -> dict[str, Any]:
        """Return the `text_completion`. Raises UpstreamError if an answer is not complete."""
        if len(self._done) < len(self._texts):
            raise incomplete_answer()
        choices = [
            self._choice("".join(written), index, finish_reason(self._done[index].stop_reason))
            for index, written in enumerate(self._texts)
        ]
        return {**self._common, "choices": choices, "usage": self._usage()}
