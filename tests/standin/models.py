"""What the Messages API takes from each model, read off the model's id.

The families and limits follow Anthropic's published model tables and the catalogue inside the CLI; where the
two differ the stricter one is kept, so that a request accepted here is accepted there.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

Version = tuple[int, int]

_VERSION = r"(?P<major>\d{1,2})(?:-(?P<minor>\d{1,2}))?"
_FAMILY = r"(?P<family>[a-z]+)"
_DATE = r"(?:-(?:\d{8}|latest))?"
_NEW_STYLE = re.compile(f"claude-{_FAMILY}-{_VERSION}{_DATE}")
_OLD_STYLE = re.compile(f"claude-{_VERSION}-{_FAMILY}{_DATE}")
_ALIAS = re.compile(r"(?P<family>fable|haiku|mythos|opus|sonnet)")

LONG_CONTEXT_BETA = "context-1m"
STANDARD_WINDOW = 200_000
LONG_WINDOW = 1_000_000

# Nothing newer is known, so an id without a version ("sonnet") or of an unheard-of family counts as this.
_NEWEST: Version = (5, 5)
# First version of a family whose thinking cannot be turned off.
_ALWAYS_THINKS: dict[str, Version] = {"fable": (5, 0), "mythos": (5, 0)}
_ALWAYS_THINKS_ELSE: Version = (5, 5)


@dataclass(frozen=True)
class Model:
    """One model, known by family ("opus") and version ((4, 8)); `long_context`: 1M was asked for."""

    id: str
    family: str
    version: Version
    long_context: bool = False

    @property
    def takes_sampling(self) -> bool:
        """`temperature`, `top_p` and `top_k` may be sent at all."""
        return self.version < (4, 7)

    @property
    def both_sampling_ok(self) -> bool:
        """`temperature` and `top_p` may be sent together."""
        return self.version < (4, 1)

    @property
    def thinking_enabled_ok(self) -> bool:
        """`thinking: {"type": "enabled", "budget_tokens": N}` is accepted."""
        return (3, 7) <= self.version < (4, 7)

    @property
    def adaptive_ok(self) -> bool:
        """`thinking: {"type": "adaptive"}` is accepted."""
        return self.version >= (4, 6)

    @property
    def thinking_off_ok(self) -> bool:
        """`thinking: {"type": "disabled"}` is accepted."""
        return self.version < _ALWAYS_THINKS.get(self.family, _ALWAYS_THINKS_ELSE)

    @property
    def hides_thinking(self) -> bool:
        """Thinking text is left out unless the request says `display: "summarized"`."""
        return self.version >= (4, 7)

    @property
    def prefill_ok(self) -> bool:
        """The last message may be the assistant's."""
        return self.version < (4, 6)

    @property
    def system_turns_ok(self) -> bool:
        """Messages of role "system" may stand between the others."""
        return self.version >= (4, 8)

    @property
    def efforts(self) -> tuple[str, ...]:
        """Values `output_config.effort` may have; empty when the model takes none."""
        if self.version >= (4, 7):
            return ("low", "medium", "high", "xhigh", "max")
        if self.version >= (4, 6):
            return ("low", "medium", "high", "max")
        return ("low", "medium", "high") if (self.family, self.version) == ("opus", (4, 5)) else ()

    @property
    def caps_effort_without_thinking(self) -> bool:
        """With thinking off, effort above "high" is refused."""
        return (self.family, self.version) == ("opus", (5, 0))

    @cached_property
    def max_output(self) -> int:
        """Most tokens `max_tokens` may ask for."""
        if self.version >= (4, 6):
            return 128_000
        if self.version < (3, 7):
            return 8_192 if self.version >= (3, 5) else 4_096
        return 32_000 if self.family == "opus" and self.version < (4, 5) else 64_000

    @property
    def window(self) -> int:
        """Context window in tokens."""
        has_choice = self.version >= ((4, 0) if self.family == "sonnet" else (4, 6))
        is_long = self.version >= (4, 7) or (has_choice and self.long_context)
        return LONG_WINDOW if is_long else STANDARD_WINDOW


def describe(model_id: str, betas: Collection[str] = ()) -> Model:
    """The model of that id; `betas` are the values of the `anthropic-beta` header.

    A 1M window is asked for by the beta or by a `[1m]` suffix. Ids that cannot be parsed get the
    properties of the newest model, which refuses the most.
    """
    name = model_id.removesuffix("[1m]")
    long_context = name != model_id or any(beta.startswith(LONG_CONTEXT_BETA) for beta in betas)
    match = _NEW_STYLE.fullmatch(name) or _OLD_STYLE.fullmatch(name)
    if match:
        version = (int(match["major"]), int(match["minor"] or 0))
        return Model(model_id, match["family"], version, long_context)
    alias = _ALIAS.search(name)
    return Model(model_id, alias["family"] if alias else "", _NEWEST, long_context)
