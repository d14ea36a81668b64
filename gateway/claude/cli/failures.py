"""What a failed turn of the CLI means to a client.

The CLI reports a failure three times over: an `api_retry` before each new attempt, the `error` of an assistant
message (SDKAssistantMessageError), and the `result`. Only the values are read, never the prose, but for the token
counts of a too long prompt.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from gateway.errors import (
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotSupported,
    NotLoggedIn,
    Overloaded,
    RateLimited,
    RequestTooLarge,
    UpstreamError,
)

Line = dict[str, Any]

LONG_WAIT_SECONDS = 60.0  # SDKs sleep any Retry-After: from here on they are told not to
OVERLOADED_RETRY_SECONDS = 5.0

LOGIN = frozenset(
    {
        "authentication_failed",
        "oauth_org_not_allowed",
        "account_on_hold",
        "verification_required",
        "billing_error",
        "cloud_credential_error",
    }
)
_PREFIX = re.compile(r"^(API Error: )?(\d{3} )?")
_LONG_PROMPT = re.compile(r"~?(\d+) tokens \(limit (\d+)\)|(\d+) tokens > (\d+) maximum")


@dataclass(slots=True)
class Facts:
    """What the CLI said in the course of a turn that explains how it failed. `message` is its own prose."""

    error: str | None = None
    status: int | None = None
    terminal_reason: str | None = None
    message: str = ""
    retry_after: float | None = None
    resets_at: float | None = None  # Unix time


def read_retry(line: Line) -> Facts:
    """The facts of a `system/api_retry` message."""
    return Facts(
        error=line.get("error"),
        status=line.get("error_status"),
        retry_after=line.get("retry_delay_ms", 0) / 1000 or None,
    )


def is_hopeless(facts: Facts) -> bool:
    """Whether to fail at once instead of letting the CLI try again: waiting out a limit is the client's choice."""
    return facts.status in (401, 403, 429) or facts.error in LOGIN | {"rate_limit"}


def failure(facts: Facts) -> GatewayError:
    """The error for a client."""
    if facts.terminal_reason in ("prompt_too_long", "blocking_limit"):
        return _too_long(facts.message)
    if facts.status == 429 or facts.error == "rate_limit":
        return _rate_limited(facts)
    if facts.error in LOGIN or facts.status in (401, 402, 403):
        return _login(facts)
    if facts.error == "model_not_found" or facts.status == 404:
        return ModelNotSupported(
            "The model was refused: it does not exist or the account has no access to it."
        )
    return _by_status(facts)


def _by_status(facts: Facts) -> GatewayError:
    if facts.status == 529 or facts.error == "overloaded":
        return Overloaded("Anthropic's API is overloaded.", retry_after=OVERLOADED_RETRY_SECONDS)
    if facts.status == 413 or facts.terminal_reason == "image_error":
        return RequestTooLarge("The request is too large for Anthropic's API, or an image in it is.")
    if facts.status is not None and 400 <= facts.status < 500:
        return InvalidRequest(_prose(facts, "The API refused the request."))
    if facts.status is not None:
        return UpstreamError(f"Anthropic's API failed with status {facts.status}.")
    return UpstreamError("The Claude Code CLI failed, or got no answer from Anthropic's API.")


def _prose(facts: Facts, otherwise: str) -> str:
    return _PREFIX.sub("", facts.message) or otherwise


def _too_long(message: str) -> ContextLengthExceeded:
    found = _LONG_PROMPT.search(message)
    numbers = [int(group) for group in found.groups() if group] if found else []
    if numbers:
        text = (
            f"This model's maximum context length is {numbers[1]} tokens. However, your messages resulted in "
            f"{numbers[0]} tokens. Please reduce the length of the messages."
        )
    else:
        text = "The messages are longer than this model's maximum context length. Please reduce their length."
    return ContextLengthExceeded(text, param="messages")


def _rate_limited(facts: Facts) -> RateLimited:
    wait = facts.retry_after
    if facts.resets_at is not None:
        wait = max(wait or 0.0, facts.resets_at - time.time(), 1.0)
    # The CLI announces the waits that it would bear itself; a limit without one is a long one.
    is_long = wait is None or wait > LONG_WAIT_SECONDS
    return RateLimited(
        "The account behind the gateway has reached a limit of Anthropic's API.",
        retry_after=wait or LONG_WAIT_SECONDS,
        should_retry=False if is_long else None,
    )


def _login(facts: Facts) -> NotLoggedIn:
    if facts.error == "billing_error" or facts.status == 402:
        return NotLoggedIn("The account behind the gateway has a billing problem.", should_retry=False)
    return NotLoggedIn(
        "The gateway's Claude Code CLI is not logged in, or its login was refused. "
        "The operator can log it in with `claude` and /login, `claude setup-token` or an API key.",
        should_retry=False,
    )
