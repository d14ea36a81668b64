"""Token totals and arithmetic on usage."""

from gateway.turn import Message, Turn, Usage, sum_usage

USAGE = Usage(
    input_tokens=1, cache_read_tokens=20, cache_write_tokens=300, output_tokens=4000, thinking_tokens=50
)


def test_totals_include_cached_tokens_and_count_thinking_once() -> None:
    assert USAGE.prompt_tokens == 321
    assert USAGE.total_tokens == 4321


def test_addition_adds_tokens_by_kind() -> None:
    assert USAGE + Usage(1, 1, 1, 1, 1) == Usage(2, 21, 301, 4001, 51)


def test_subtraction_undoes_addition_and_forgets_the_cost() -> None:
    both = USAGE + Usage(output_tokens=5, cost_usd=0.5)
    assert both - Usage(output_tokens=5) == USAGE


def test_unknown_costs_count_as_zero_unless_all_are_unknown() -> None:
    assert (Usage() + Usage()).cost_usd is None
    assert (Usage() + Usage(cost_usd=0.25)).cost_usd == 0.25
    assert sum_usage([Usage(cost_usd=0.25), Usage(), Usage(cost_usd=0.5)]).cost_usd == 0.75


def test_the_sum_of_no_usage_is_zero() -> None:
    assert sum_usage([]) == Usage()


def test_size_of_a_turn_counts_all_texts_and_files() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "x" * 1000}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "y" * 500}]}
    turn = Turn((Message("user", ({"type": "text", "text": "z" * 100}, image)), Message("user", (result,))))
    assert 1600 <= turn.count_characters() < 1700
