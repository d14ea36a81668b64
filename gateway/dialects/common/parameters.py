"""Decide which parameters of a request are honored, ignored or refused.

A parameter is ignored if the answer keeps its shape and meaning without it; the response then names it. Otherwise it is
refused. A value that asks for nothing (null or the default) is neither refused nor named.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gateway.errors import UnsupportedParameter

# The names go into a response header, and proxies limit the size of headers.
MAX_NAMES = 32
MAX_NAME_LENGTH = 64

AsksNothing = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Policy:
    """The parameters of a dialect. A parameter that is neither honored nor refused is ignored.

    `refused` maps each refused parameter to a predicate for the values that ask for nothing. `defaults` lists values
    of ignored parameters that ask for nothing; null and empty values never do.

    >>> policy = Policy(frozenset({"model"}), {}, {"seed": (0,)})
    >>> policy.find_ignored({"model": "haiku", "seed": 0, "user": "me"})
    ('user',)
    """

    honored: frozenset[str]
    refused: Mapping[str, AsksNothing]
    defaults: Mapping[str, tuple[Any, ...]]

    def refuse_unsupported(self, body: Mapping[str, Any]) -> None:
        """Raise UnsupportedParameter for the first refused parameter whose value asks for something."""
        for name, asks_nothing in self.refused.items():
            value = body.get(name)
            if value is not None and not asks_nothing(value):
                problem = f"'{name}' is not supported with this value. Remove it."
                raise UnsupportedParameter(problem, param=name)

    def find_ignored(self, body: Mapping[str, Any], inner: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the names of ignored parameters and of the `inner` fields, fit for a header."""
        return header_names(
            [*inner, *(name for name, value in body.items() if self._is_ignored(name, value))]
        )

    def _is_ignored(self, name: str, value: Any) -> bool:
        if name in self.honored or name in self.refused:
            return False
        return asks_something(value, self.defaults.get(name, ()))


def asks_something(value: Any, defaults: tuple[Any, ...]) -> bool:
    """Return True unless `value` is null, empty or one of `defaults`."""
    return value not in (None, "", [], {}) and value not in defaults


def never(value: Any) -> bool:
    """Return False: no value of this parameter asks for nothing, so it is always refused."""
    return False


def header_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names sorted, percent-encoded, and bounded in number and length."""
    return tuple(
        quote(name[:MAX_NAME_LENGTH], safe="/[]", errors="replace") for name in sorted(names)[:MAX_NAMES]
    )


def effective_top_p(value: float | None) -> float | None:
    """Return top_p, or None for 1: clients send this default, but models refuse top_p beside a temperature."""
    return None if value == 1 else value
