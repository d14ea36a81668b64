"""Values that no model can take count as absent or as the nearest value, and the response says so."""

from typing import Any

import pytest

from gateway.dialects.completions.request import parse_request as parse_completion
from gateway.dialects.messages.request import INTERLEAVED
from gateway.dialects.messages.request import parse_request as parse_messages
from gateway.errors import InvalidRequest
from gateway.schemas.completions import CompletionSchema
from gateway.schemas.messages import MessagesSchema
from gateway.turn import MIN_THINKING_BUDGET, Turn
from tests.unit.dialects.test_chat_dialect import request
from tests.unit.dialects.test_responses_dialect import parse as parse_responses

HELLO = [{"role": "user", "content": "hi"}]
Noted = tuple[Turn, set[str], set[str]]


def read(dialect: str, fields: dict[str, Any], *betas: str) -> Noted:
    """Return the turn of a request, and the fields that are ignored and repaired."""
    parsed: Any
    if dialect == "chat":
        parsed = request(**fields)
    elif dialect == "responses":
        parsed = parse_responses({"input": "hi", **fields})
    elif dialect == "completions":
        parsed = parse_completion(CompletionSchema().load({"prompt": "hi", **fields}))
    else:
        body = MessagesSchema().load({"max_tokens": 9000, "messages": HELLO, **fields})
        parsed = parse_messages(body, betas)
    turn = parsed.turns[0] if dialect == "completions" else parsed.turn
    assert {repair.code for repair in parsed.repaired} <= {"parameter-adjusted"}
    return turn, set(parsed.ignored), {repair.path for repair in parsed.repaired}


DIALECTS = {
    "chat": "max_completion_tokens",
    "responses": "max_output_tokens",
    "completions": "max_tokens",
    "messages": "max_tokens",
}


@pytest.mark.parametrize(("dialect", "limit"), DIALECTS.items())
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (100, 100),
        (4096.0, 4096),
        ("4096", 4096),
        (99.9, 99),
        (10**12, 10**9),
        (0, None),
        (-1, None),
        ("-1", None),
    ],
)
def test_token_limit_is_converted_or_absent(
    dialect: str, limit: str, given: Any, expected: int | None
) -> None:
    turn, ignored, repaired = read(dialect, {limit: given})
    assert turn.sampling.max_tokens == expected
    assert ignored == ({limit} if expected is None else set())
    assert repaired == (
        {limit} if expected not in (None, given) or (type(given) is not int and expected) else set()
    )


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("temperature", 3, 1.0),
        ("temperature", -1, 0.0),
        ("temperature", "0.7", 0.7),
        ("temperature", "99", 1.0),
        ("top_p", 1.5, None),
        ("top_p", -0.5, 0.0),
        ("top_p", "0.9", 0.9),
    ],
)
def test_sampling_parameter_gets_the_nearest_value(
    dialect: str, field: str, given: Any, expected: float | None
) -> None:
    turn, ignored, repaired = read(dialect, {field: given})
    assert getattr(turn.sampling, field) == expected
    assert (ignored, repaired) == (set(), {field})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_values_in_their_range_are_not_named(dialect: str) -> None:
    _, ignored, repaired = read(dialect, {"temperature": 0.5, "top_p": 1, DIALECTS[dialect]: 5000})
    assert (ignored, repaired) == (set(), set())


EFFORTS = {
    "auto": (None, None, "ignored"),
    "default": (None, None, "ignored"),
    "enormous": (None, None, "ignored"),
    "ultra": ("max", True, "repaired"),
    "HIGH": ("high", True, "repaired"),
    " low ": ("low", True, "repaired"),
    "extra_high": ("xhigh", True, "repaired"),
    "off": ("low", False, "repaired"),
    "disabled": ("low", False, "repaired"),
    "none": ("low", False, ""),
    "minimal": ("low", False, ""),
    "medium": ("medium", True, ""),
    "": (None, None, ""),
}


@pytest.mark.parametrize(("word", "expected"), EFFORTS.items())
@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("chat", "reasoning_effort"),
        ("chat", "reasoning.effort"),
        ("responses", "reasoning.effort"),
        ("messages", "output_config.effort"),
    ],
)
def test_effort_is_understood_in_any_word(
    dialect: str, path: str, word: str, expected: tuple[str | None, bool | None, str]
) -> None:
    outer, _, inner = path.partition(".")
    turn, ignored, repaired = read(dialect, {outer: {inner: word} if inner else word})
    effort, thinking, noted = expected
    if dialect == "messages":
        thinking = False  # its effort says nothing about thinking
    assert (turn.effort, turn.thinking) == (effort, thinking)
    assert ignored == ({path} if noted == "ignored" else set())
    assert repaired == ({path} if noted == "repaired" else set())


@pytest.mark.parametrize(
    ("fields", "budget", "ignored", "repaired"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, 5000, set(), set()),
        ({"thinking": {"budget_tokens": 5000.0}}, 5000, set(), set()),
        ({"thinking": {"type": "enabled", "budget_tokens": "5000"}}, 5000, set(), {"thinking.budget_tokens"}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            MIN_THINKING_BUDGET,
            set(),
            {"thinking.budget_tokens"},
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": -1}}, None, {"thinking.budget_tokens"}, set()),
        ({"thinking": {"type": "disabled", "budget_tokens": 5000}}, None, set(), set()),
        ({"reasoning": {"max_tokens": 3000}}, 3000, set(), set()),
        ({"thinking": {"type": "auto"}}, None, set(), set()),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9000}, "max_tokens": 8000},
            4000,
            set(),
            {"thinking.budget_tokens"},
        ),
    ],
)
def test_thinking_budget_of_chat_is_honored(
    fields: dict[str, Any], budget: int | None, ignored: set[str], repaired: set[str]
) -> None:
    turn, *noted = read("chat", fields)
    assert turn.thinking_budget == budget
    assert noted == [ignored, repaired]


@pytest.mark.parametrize(
    ("max_tokens", "given", "budget"),
    [(8000, 16000, 4000), (8000, 8000, 4000), (8000, 7999, 7999), (1500, 5000, MIN_THINKING_BUDGET)],
)
def test_budget_may_exceed_the_limit_with_interleaved_thinking(
    max_tokens: int, given: int, budget: int
) -> None:
    fields = {"max_tokens": max_tokens, "thinking": {"type": "enabled", "budget_tokens": given}}
    turn, ignored, repaired = read("messages", fields, "other-beta", INTERLEAVED)
    assert turn.thinking_budget == budget
    assert (ignored, repaired) == (set(), set() if given == budget else {"thinking.budget_tokens"})
    if given >= max_tokens:
        with pytest.raises(InvalidRequest, match="must be greater"):
            read("messages", fields, "other-beta")


@pytest.mark.parametrize(
    ("dialect", "field"), [("chat", "stop"), ("completions", "stop"), ("messages", "stop_sequences")]
)
def test_more_than_four_stops_are_allowed_and_each_counts_once(dialect: str, field: str) -> None:
    stops = [f"stop{number}" for number in range(9)]
    turn, *noted = read(dialect, {field: [*stops, "stop0", "", " "]})
    assert turn.sampling.stop == (*stops, " ")
    assert noted == [set(), set()]
