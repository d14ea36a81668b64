"""The requests of a batch, which the gateway sends to its own endpoints.

They take the same road as a client's requests: hooks, validation, limits and answer. `api.http.in_process` sends them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.answering.caller import Caller
from gateway.answering.metering import MeteredAnswer
from gateway.errors import GatewayError
from gateway.record import RequestSummary


@dataclass(slots=True)
class ItemCall:
    """One request to `path`. Its answer and its summary are filled in while it is handled."""

    path: str
    body: bytes
    caller: Caller
    headers: Mapping[str, str] = field(default_factory=dict)
    summary: RequestSummary | None = None
    stop_reason: GatewayError | None = None
    _answer: MeteredAnswer | None = None

    def attach_answer(self, answer: MeteredAnswer) -> None:
        """Note the answer, so that `stop` can end it."""
        self._answer = answer
        if self.stop_reason is not None:
            answer.stop(self.stop_reason)

    def stop(self, reason: GatewayError) -> None:
        """End the answer from another greenlet, also if it has not begun."""
        self.stop_reason = reason
        if self._answer is not None:
            self._answer.stop(reason)

    @property
    def error(self) -> GatewayError | None:
        """Return the error that the request got."""
        return self.summary.error if self.summary else None


@dataclass(frozen=True, slots=True)
class ItemResponse:
    """The response to a request of a batch. `notes` are headers that name ignored parameters and repairs."""

    status: int
    body: bytes
    notes: Mapping[str, str] = field(default_factory=dict)


SendCall = Callable[[ItemCall], ItemResponse]
