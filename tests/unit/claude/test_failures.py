"""Failures of the CLI as errors of the gateway."""

import time

import pytest

from gateway.claude.cli.failures import FailureFacts, classify_failure, is_hopeless, read_retry
from gateway.errors import (
    AccountLimitReached,
    BillingProblem,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    LimitReached,
    ModelNotSupported,
    NotLoggedIn,
    Overloaded,
    RequestTooLarge,
    TurnTimeout,
    UpstreamError,
)


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        (FailureFacts(terminal_reason="prompt_too_long"), ContextLengthExceeded),
        (FailureFacts(status=429), AccountLimitReached),
        (FailureFacts(error="rate_limit"), AccountLimitReached),
        (FailureFacts(error="authentication_failed"), NotLoggedIn),
        (FailureFacts(status=402), BillingProblem),
        (FailureFacts(error="billing_error", status=400), BillingProblem),
        (FailureFacts(status=404), ModelNotSupported),
        (FailureFacts(error="model_not_found"), ModelNotSupported),
        (FailureFacts(status=529), Overloaded),
        (FailureFacts(status=413), RequestTooLarge),
        (FailureFacts(terminal_reason="image_error"), RequestTooLarge),
        (FailureFacts(status=400), InvalidRequest),
        (FailureFacts(status=408), TurnTimeout),
        (FailureFacts(status=500), UpstreamError),
        (FailureFacts(), UpstreamError),
    ],
)
def test_facts_decide_the_type_of_the_error(facts: FailureFacts, error: type[GatewayError]) -> None:
    assert type(classify_failure(facts)) is error


def test_message_of_the_api_loses_the_prefix_of_the_cli() -> None:
    facts = FailureFacts(status=400, message="API Error: 400 messages.0: bad")
    assert classify_failure(facts).message == "messages.0: bad"


@pytest.mark.parametrize(
    "message", ["~210000 tokens (limit 200000)", "prompt is too long: 210000 tokens > 200000 maximum"]
)
def test_token_counts_of_a_long_prompt_are_in_the_message(message: str) -> None:
    error = classify_failure(FailureFacts(terminal_reason="blocking_limit", message=message))
    assert "maximum context length is 200000 tokens" in error.message
    assert "resulted in 210000 tokens" in error.message
    assert error.param == "messages"


@pytest.mark.parametrize(
    ("facts", "retry_after", "should_retry"),
    [
        (FailureFacts(status=429), 60.0, False),
        (FailureFacts(status=429, retry_after=5.0), 5.0, None),
        (FailureFacts(status=429, retry_after=300.0), 300.0, False),
    ],
)
def test_long_waits_tell_sdks_not_to_retry(
    facts: FailureFacts, retry_after: float, should_retry: bool | None
) -> None:
    error = classify_failure(facts)
    assert (error.retry_after, error.should_retry) == (retry_after, should_retry)


def test_reset_of_a_rate_limit_extends_the_wait_and_is_in_the_message() -> None:
    error = classify_failure(FailureFacts(status=429, retry_after=5.0, resets_at=time.time() + 1000))
    assert error.retry_after == pytest.approx(1000, abs=5)
    assert "It resets at 20" in error.message
    assert classify_failure(FailureFacts(status=429, resets_at=4102444800.0)).message.count(
        "2100-01-01 00:00 UTC"
    )


def test_limit_of_the_account_of_a_key_and_billing_have_three_codes_and_say_what_to_do() -> None:
    account, billing = classify_failure(FailureFacts(status=429)), classify_failure(FailureFacts(status=402))
    codes = {account.code, billing.code, LimitReached.code}
    assert codes == {"account_limit_reached", "billing_problem", "rate_limit_exceeded"}
    assert "Try again later" in account.message
    assert "operator can correct this" in billing.message
    assert (billing.status, billing.should_retry) == (503, False)


def test_retries_are_hopeless_for_logins_and_rate_limits_only() -> None:
    facts = read_retry(
        {
            "type": "system",
            "subtype": "api_retry",
            "error": "overloaded",
            "error_status": 529,
            "retry_delay_ms": 500,
        }
    )
    assert (facts.error, facts.status, facts.retry_after) == ("overloaded", 529, 0.5)
    assert not is_hopeless(facts)
    assert is_hopeless(FailureFacts(status=401))
    assert is_hopeless(FailureFacts(error="rate_limit"))
