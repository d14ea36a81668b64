"""The formats of batches, by the API that they were created with."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.answering.batches import anthropic_format, openai_format
from gateway.answering.batches.calls import ItemResponse
from gateway.errors import GatewayError
from gateway.store.batch_items import Outcome
from gateway.store.batches import Kind


class BatchFormat(Protocol):
    """The part of a format that is the same for both APIs. Lines are JSON without a line break."""

    @property
    def WITHOUT_EFFECT(self) -> Sequence[str]:  # noqa: N802
        """Return the parameters of a request that have no effect in a batch."""

    def make_line(self, custom_id: str, response: ItemResponse, request_id: str) -> str:
        """Return the line of a request that was answered, or refused with an HTTP status."""

    def make_unanswered_line(self, custom_id: str, outcome: Outcome) -> str:
        """Return the line of a request that was canceled or has expired."""

    def make_error(self, error: GatewayError, request_id: str) -> ItemResponse:
        """Return the response for a request that is refused without being sent."""


FORMATS: Mapping[Kind, BatchFormat] = {"openai": openai_format, "anthropic": anthropic_format}
