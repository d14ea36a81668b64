"""Read the usage that the API reports for an answer, and its effect on the price.

>>> parse_usage({"input_tokens": 3, "output_tokens": 2, "speed": "fast"}).total_tokens
5
"""

from gateway.claude.cli.protocol import ApiUsage
from gateway.hosted import SEARCH_USD
from gateway.turn import Usage

FAST_FACTOR = 2.0  # https://platform.claude.com/docs/en/build-with-claude/fast-mode


def apply_speed(cost: float | None, usage: Usage, reported: ApiUsage) -> float | None:
    """Return the cost of an answer that may be in fast mode, which leaves the price of searches as it is."""
    if cost is None or reported.get("speed") != "fast":
        return cost
    searches = usage.web_searches * SEARCH_USD
    return FAST_FACTOR * (cost - searches) + searches


def parse_usage(usage: ApiUsage) -> Usage:
    """Return the usage that the API or the CLI reports."""
    hosted = usage.get("server_tool_use") or {}
    return Usage(
        input_tokens=usage.get("input_tokens") or 0,
        cache_read_tokens=usage.get("cache_read_input_tokens") or 0,
        cache_write_tokens=usage.get("cache_creation_input_tokens") or 0,
        output_tokens=usage.get("output_tokens") or 0,
        thinking_tokens=(usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        web_searches=hosted.get("web_search_requests") or 0,
        web_fetches=hosted.get("web_fetch_requests") or 0,
        long_write_tokens=(usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0,
    )
