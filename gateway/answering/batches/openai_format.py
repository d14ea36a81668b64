"""OpenAI's batches: the lines of input and output files, and the batch object.

https://platform.openai.com/docs/api-reference/batch

An input line, and the output line of its answer:

    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": […]}}
    {"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "request_id": "req_1", "body": {…}},
     "error": null}
"""

import secrets
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from json import JSONDecodeError
from typing import Any

from gateway.answering.batches.calls import ItemResponse
from gateway.answering.caller import Caller
from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.dialects.common.json_types import Body
from gateway.errors import GatewayError
from gateway.lenient_json import dumps, explain, loads
from gateway.schemas.batches import read_window
from gateway.store.batch_items import Outcome
from gateway.store.batches import CANCELLED, COMPLETED, EXPIRED, FAILED, Batch, new_batch_id
from gateway.store.database import utc_now

ENDPOINTS = ("/v1/chat/completions", "/v1/responses", "/v1/completions")
DEFAULT_WINDOW = "24h"
#: Parameters that say how an answer is sent. In a batch, all answers are sent whole.
WITHOUT_EFFECT = ("stream", "background")
MISSING = "Missing required parameter: '{}'."
UNANSWERED: dict[Outcome, tuple[str, str]] = {
    "expired": (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
    "canceled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}


class LineError(Exception):
    """A line of an input file cannot be used. `code` is OpenAI's code for it."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def describe(self, line: int | None) -> Body:
        """Return the entry of the list `errors.data` for this line."""
        return {"code": self.code, "message": self.message, "param": self.param, "line": line}


@dataclass(frozen=True, slots=True)
class InputLine:
    """A request of an input file. `body` is JSON."""

    custom_id: str
    body: str
    model: str | None


def new_batch(body: Body, caller: Caller) -> Batch:
    """Return a new batch for a body that NewBatchSchema has loaded. Raises InvalidRequest."""
    endpoint = normalize_endpoint(body["endpoint"])
    if endpoint not in ENDPOINTS:
        raise invalid_field("endpoint", f"Expected one of: {', '.join(ENDPOINTS)}.")
    window = body.get("completion_window", DEFAULT_WINDOW)
    return Batch(
        id=new_batch_id("openai"),
        owner=caller.owner_id,
        kind="openai",
        endpoint=endpoint,
        expires_at=utc_now() + read_window(window),
        completion_window=window,
        input_file_id=body["input_file_id"],
        output_seconds=body.get("output_expires_after", {}).get("seconds"),
        metadata=body.get("metadata"),
        key_id=caller.key_id,
        address=caller.address,
        client=caller.user_agent,
    )


def split_lines(chunks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """Yield the lines of a file. Raises LineError for one of more than `most_bytes`.

    >>> list(split_lines([b"a", b"b\\nc", b""], 9))
    [b'ab', b'c']
    """
    parts: list[bytes] = []
    length = 0
    for chunk in chunks:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            yield b"".join([*parts, line])
            parts, length = [], 0
        parts.append(rest)
        length += len(rest)
        if length > most_bytes:
            raise LineError("request_too_large", f"The line is longer than {most_bytes} bytes.")
    if length:
        yield b"".join(parts)


def parse_line(line: bytes, endpoint: str, known: Collection[str]) -> InputLine:
    """Return the request on a line; `known` are the custom ids of the lines before. Raises LineError."""
    try:
        request = loads(line)
    except JSONDecodeError as error:
        problem = f"This line is not parseable as valid JSON. {explain(error)}"
        raise LineError("invalid_json_line", problem) from None
    if not isinstance(request, dict):
        raise LineError("invalid_json_line", "This line is not a JSON object.")
    custom_id, body = request.get("custom_id"), request.get("body")
    if not isinstance(custom_id, str) or not custom_id:
        raise LineError("missing_required_parameter", MISSING.format("custom_id"), "custom_id")
    if custom_id in known:
        problem = f"The custom_id {quote(custom_id)} is not unique. Each request of a batch needs its own custom_id."
        raise LineError("duplicate_custom_id", problem, "custom_id")
    _check_target(request, endpoint)
    if not isinstance(body, dict):
        raise LineError("missing_required_parameter", MISSING.format("body"), "body")
    model = body.get("model")
    return InputLine(custom_id, dumps(body).decode(), model if isinstance(model, str) else None)


def _check_target(request: Body, endpoint: str) -> None:
    if str(request.get("method", "POST")).upper() != "POST":
        raise LineError("invalid_method", "The method must be POST.", "method")
    url = request.get("url")
    if not isinstance(url, str) or not url:
        raise LineError("missing_required_parameter", MISSING.format("url"), "url")
    if normalize_endpoint(url) != endpoint:
        raise LineError(
            "url_mismatch",
            f"The URL {quote(url)} does not match the endpoint of the batch, {endpoint}.",
            "url",
        )


def normalize_endpoint(url: str) -> str:
    """Return an endpoint with `/v1`, which clients of Azure leave out, and without a slash at the end.

    >>> normalize_endpoint("/chat/completions/")
    '/v1/chat/completions'
    """
    path = "/" + url.strip().strip("/")
    return path if path.startswith("/v1/") else f"/v1{path}"


def make_line(custom_id: str, response: ItemResponse, request_id: str) -> str:
    """Return the output line of a request that was answered, or refused with an HTTP status."""
    notes = f',"headers":{dumps(dict(response.notes)).decode()}' if response.notes else ""
    return (
        f'{{"id":"batch_req_{secrets.token_hex(16)}","custom_id":{dumps(custom_id).decode()},'
        f'"response":{{"status_code":{response.status},"request_id":{dumps(request_id).decode()}{notes},'
        f'"body":{response.body.decode()}}},"error":null}}'
    )


def make_unanswered_line(custom_id: str, outcome: Outcome) -> str:
    """Return the output line of a request that was canceled or has expired."""
    code, message = UNANSWERED[outcome]
    line = {
        "id": f"batch_req_{secrets.token_hex(16)}",
        "custom_id": custom_id,
        "response": None,
        "error": {"code": code, "message": message},
    }
    return dumps(line).decode()


def make_error(error: GatewayError, request_id: str) -> ItemResponse:
    """Return the response for a request that is refused without being sent."""
    return ItemResponse(error.status, dumps(error.body()))


def batch_object(batch: Batch) -> Body:
    """Return the batch object. `waiting` is the gateway's own field: why no request runs at the moment."""
    has_ended = batch.status in (COMPLETED, EXPIRED, CANCELLED)
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": batch.input_file_id,
        "completion_window": batch.completion_window,
        "status": batch.status,
        "output_file_id": batch.output_file_id if has_ended else None,
        "error_file_id": batch.error_file_id if has_ended else None,
        **{f"{name}_at": _seconds(moment) for name, moment in _find_moments(batch).items()},
        "request_counts": {
            "total": batch.total,
            "completed": batch.succeeded,
            "failed": batch.done - batch.succeeded,
        },
        "usage": _usage_object(batch),
        "metadata": batch.metadata,
        "waiting": batch.current_waiting,
    }


def _usage_object(batch: Batch) -> Body:
    return {
        "input_tokens": batch.input_tokens,
        "input_tokens_details": {"cached_tokens": batch.cached_tokens},
        "output_tokens": batch.output_tokens,
        "output_tokens_details": {"reasoning_tokens": batch.thinking_tokens},
        "total_tokens": batch.input_tokens + batch.output_tokens,
    }


def _find_moments(batch: Batch) -> dict[str, datetime | None]:
    """Return the times at which the batch reached its states; None for states that it has not had."""
    ends = (COMPLETED, FAILED, EXPIRED, CANCELLED)
    return {
        "created": batch.created_at,
        "in_progress": batch.in_progress_at,
        "expires": batch.expires_at,
        "finalizing": batch.finalizing_at,
        "cancelling": batch.cancelling_at,
        **{status: batch.ended_at if batch.status == status else None for status in ends},
    }


def _seconds(moment: datetime | None) -> Any:
    return None if moment is None else int(moment.timestamp())
