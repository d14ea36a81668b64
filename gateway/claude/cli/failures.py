"""Classify a failed turn of the CLI as one of the gateway's errors.

The CLI reports a failure up to three times: in an `api_retry` message before each new attempt, in the `error` of an
assistant message (SDKAssistantMessageError in `sdk.d.ts`), and in the `result`. The classification uses the codes, not
the prose, because the prose changes between versions. The only exception is the token counts of a prompt that is too
long.
"""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone

from gateway import errors
from gateway.claude.cli.protocol import SystemMessage

LONG_WAIT_SECONDS = 60.0  # SDKs obey any Retry-After; from this length on they are told not to retry
OVERLOADED_RETRY_SECONDS = 5.0

LOGIN_ERRORS = frozenset(
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
class FailureFacts:
    """The parts of the CLI's messages that explain a failure.

    `status` is the HTTP status of Anthropic's API, `message` the CLI's own prose, `retry_after` a number of seconds and
    `resets_at` Unix time in seconds.
    """

    error: str | None = None
    status: int | None = None
    terminal_reason: str | None = None
    message: str = ""
    retry_after: float | None = None
    resets_at: float | None = None


def read_retry(message: SystemMessage) -> FailureFacts:
    """Return the facts of an `api_retry` message."""
    return FailureFacts(
        error=message.get("error"),
        status=message.get("error_status"),
        retry_after=message.get("retry_delay_ms", 0) / 1000 or None,
    )


def is_hopeless(facts: FailureFacts) -> bool:
    """Return True if the turn should fail now, although the CLI would retry.

    A bad login does not get better, and the client decides whether to wait for a rate limit to reset.
    """
    return facts.status in (401, 403, 429) or facts.error in LOGIN_ERRORS | {"rate_limit"}


def classify_failure(facts: FailureFacts) -> errors.GatewayError:
    """Return the error that the client gets."""
    if facts.terminal_reason in ("prompt_too_long", "blocking_limit"):
        return _context_length_error(facts.message)
    if facts.status == 429 or facts.error == "rate_limit":
        return _rate_limit_error(facts)
    if facts.error in LOGIN_ERRORS or facts.status in (401, 402, 403):
        return _login_error(facts)
    if facts.error == "model_not_found" or facts.status == 404:
        return errors.ModelNotSupported(
            "The model was refused: it does not exist or the account has no access to it."
        )
    return _status_error(facts)


def _status_error(facts: FailureFacts) -> errors.GatewayError:
    if facts.status == 529 or facts.error == "overloaded":
        return errors.Overloaded("Anthropic's API is overloaded.", retry_after=OVERLOADED_RETRY_SECONDS)
    if facts.status == 408:  # SDKs try again after it, but not after the 400 of other statuses
        return errors.TurnTimeout("Anthropic's API timed out. Try again.")
    if facts.status == 413 or facts.terminal_reason == "image_error":
        return errors.RequestTooLarge("The request, or an image in it, is too large for Anthropic's API.")
    if facts.status is not None and 400 <= facts.status < 500:
        return errors.InvalidRequest(
            _PREFIX.sub("", facts.message) or "Anthropic's API rejected the request."
        )
    if facts.status is not None:
        return errors.UpstreamError(f"Anthropic's API failed with status {facts.status}.")
    return errors.UpstreamError("The Claude Code CLI failed, or got no answer from Anthropic's API.")


def _context_length_error(message: str) -> errors.ContextLengthExceeded:
    found = _LONG_PROMPT.search(message)
    numbers = [int(group) for group in found.groups() if group] if found else []
    if numbers:
        text = (
            f"This model's maximum context length is {numbers[1]} tokens. However, your messages resulted in "
            f"{numbers[0]} tokens. Please reduce the length of the messages."
        )
    else:
        text = "The messages are longer than this model's maximum context length. Please reduce their length."
    return errors.ContextLengthExceeded(text, param="messages")


def _rate_limit_error(facts: FailureFacts) -> errors.AccountLimitReached:
    wait = facts.retry_after
    if facts.resets_at is not None:
        wait = max(wait or 0.0, facts.resets_at - time.time(), 1.0)
    # The CLI announces the waits that it would sit through itself. A limit without one takes long to reset.
    is_long = wait is None or wait > LONG_WAIT_SECONDS
    if facts.resets_at is not None:
        advice = f"It resets at {datetime.fromtimestamp(facts.resets_at, timezone.utc):%Y-%m-%d %H:%M} UTC."
    else:
        advice = "Try again later." if is_long else "Try again shortly."
    return errors.AccountLimitReached(
        f"The account behind the gateway has reached a limit of Anthropic's API. {advice} Another model may have a "
        "limit of its own; the operator can use another account.",
        retry_after=wait or LONG_WAIT_SECONDS,
        should_retry=False if is_long else None,
    )


def _login_error(facts: FailureFacts) -> errors.NotLoggedIn:
    if facts.error == "billing_error" or facts.status == 402:
        return errors.BillingProblem(
            "Anthropic rejects the account behind the gateway because of its balance or its payment. Trying again does "
            "not help. The operator can correct this at https://platform.claude.com/settings/billing.",
            should_retry=False,
        )
    return errors.NotLoggedIn(
        "The gateway's Claude Code CLI is not logged in, or its login was refused.", should_retry=False
    )
