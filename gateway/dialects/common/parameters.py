"""What becomes of a request's parameters: honoured, ignored and named so, or refused.

A parameter is ignored where the answer keeps its shape and meaning without it, and refused where not. A value
that asks for nothing (null, the default) is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gateway.errors import UnsupportedParameter

#: The names go into a response header, whose size proxies limit.
MOST_NAMED = 32
LONGEST_NAME = 64

AsksNothing = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Policy:
    """A dialect's parameters. Those in none of the three are ignored.

    `refused` says of each which values ask for nothing; `defaults` are values of ignored parameters that ask for
    nothing either. Empty ones never do.
    """

    honoured: frozenset[str]
    refused: Mapping[str, AsksNothing]
    defaults: Mapping[str, tuple[Any, ...]]

    def refuse_unsupported(self, body: Mapping[str, Any]) -> None:
        """Raises UnsupportedParameter for the first parameter that would change the answer and cannot be met."""
        for name, asks_nothing in self.refused.items():
            value = body.get(name)
            if value is not None and not asks_nothing(value):
                raise UnsupportedParameter(f"'{name}' is not supported with this value.", param=name)

    def ignored(self, body: Mapping[str, Any], inner: Iterable[str] = ()) -> tuple[str, ...]:
        """The names, sorted, of parameters without effect, and of `inner` fields. Percent-encoded for a header."""
        names = [*inner, *(name for name, value in body.items() if self._is_ignored(name, value))]
        return named(names)

    def _is_ignored(self, name: str, value: Any) -> bool:
        if name in self.honoured or name in self.refused:
            return False
        return value not in (None, "", [], {}) and value not in self.defaults.get(name, ())


def named(names: Iterable[str]) -> tuple[str, ...]:
    """Names of parameters, sorted and fit for a header."""
    return tuple(quote(name[:LONGEST_NAME], errors="replace") for name in sorted(names)[:MOST_NAMED])


def temperature(value: float | None) -> float | None:
    """OpenAI's scale ends at 2, Anthropic's at 1; Anthropic's own OpenAI layer caps as well."""
    return None if value is None else min(value, 1.0)


def top_p(value: float | None) -> float | None:
    """1, which clients send as the default, cuts nothing off; but models refuse top_p beside temperature."""
    return None if value == 1 else value
