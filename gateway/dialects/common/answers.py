"""The interface of every dialect's answers: a `StreamEncoder` for streams and a `Collector` for whole answers.

Each dialect has both classes in its `answers` module. The answer's events arrive in batches; a request for several
answers numbers them from 0, and each batch belongs to one of these choices.
"""

from typing import Any, Protocol

from gateway.dialects.common.field_errors import FieldNames
from gateway.errors import GatewayError, UpstreamError
from gateway.turn import Batch


class StreamEncoder(Protocol):
    """Encode the events of an answer as a stream of server-sent events."""

    #: The dialect's names for concepts, for errors and ignored parameters.
    field_names: FieldNames

    def encode(self, batch: Batch, index: int) -> bytes:
        """Return the bytes to send for a batch of choice `index`; b"" if there is nothing to send.

        Raises GatewayError if the stream cannot go on.
        """

    def error(self, error: GatewayError) -> bytes:
        """Return the bytes that end a stream which failed."""


class Collector(Protocol):
    """Collect the events of an answer that is sent whole."""

    #: The dialect's names for concepts, for errors and ignored parameters.
    field_names: FieldNames

    def add(self, batch: Batch, index: int) -> None:
        """Add a batch of choice `index`."""

    def body(self) -> dict[str, Any]:
        """Return the body of the response. Raises UpstreamError if the answer is not complete."""


def incomplete_answer() -> UpstreamError:
    """Return the error for an answer that ended without a `Done` event."""
    return UpstreamError("The answer broke off before its end. Try again.")


def retracted_answer() -> UpstreamError:
    """Return the error for a stream whose text is void because it did not follow the schema."""
    return UpstreamError(
        "The model's output did not follow the schema, but a part of it was already sent. Try again.",
        code="invalid_structured_output",
    )
