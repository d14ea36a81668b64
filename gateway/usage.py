"""The usage of answers: tokens, searches and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from operator import add, attrgetter, sub

#: The names of the figures that are counts.
COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "thinking_tokens",
    "web_searches",
    "web_fetches",
    "long_write_tokens",
)
_read_counts: Callable[[Usage], tuple[int, ...]] = attrgetter(*COUNTS)


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one answer, by kind, and its cost in USD (None if unknown).

    `input_tokens` excludes tokens read from or written to the prompt cache, as in the Messages API. `output_tokens`
    includes thinking, and `thinking_tokens` is that share. `web_searches` and `web_fetches` count the calls of hosted
    tools. `long_write_tokens` is the share of `cache_write_tokens` that the cache keeps for an hour.

    >>> Usage(input_tokens=3, cache_read_tokens=7, output_tokens=2).total_tokens
    12
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cost_usd: float | None = None
    web_searches: int = 0
    web_fetches: int = 0
    long_write_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """Return the size of the prompt, cached tokens included."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        """Return all tokens that were read or written."""
        return self.prompt_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """Add tokens and costs. A cost that is unknown counts as zero, unless both are unknown."""
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        return _usage_of(map(add, self._counts(), other._counts())).with_cost(sum(costs) if costs else None)

    def __sub__(self, other: Usage) -> Usage:
        """Subtract tokens. The cost of the difference is unknown."""
        return _usage_of(map(sub, self._counts(), other._counts()))

    def with_cost(self, cost_usd: float | None) -> Usage:
        """Return a copy with this cost."""
        return replace(self, cost_usd=cost_usd)

    def _counts(self) -> tuple[int, ...]:
        return _read_counts(self)


def _usage_of(counts: Iterable[int]) -> Usage:
    return Usage(**dict(zip(COUNTS, counts, strict=True)))


def sum_usage(usages: Iterable[Usage]) -> Usage:
    """Return the usage of all answers to one request. Each answer read the prompt again, so prompts add up too."""
    return sum(usages, Usage())
