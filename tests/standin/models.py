"""The parameters that the Messages API accepts for each model, derived from the model's id.

Families and limits follow Anthropic's published model tables and the catalog inside the CLI. Where the two differ, the
stricter one applies, so that a request that is accepted here is accepted by the API.

>>> describe("claude-opus-4-8").takes_sampling
False
"""

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

# The newest known version. An id without a version ("sonnet") or of an unknown family counts as this one.
_NEWEST: Version = (5, 5)
# The first version of each family whose thinking cannot be turned off.
_ALWAYS_THINKS: dict[str, Version] = {"fable": (5, 0), "mythos": (5, 0)}
_ALWAYS_THINKS_ELSE: Version = (5, 5)


@dataclass(frozen=True)
class Model:
    """One model, for example of family "opus" and version (4, 8), and the betas that the request names.

    `long_context`: a 1M window was requested.
    """

    id: str
    family: str
    version: Version
    long_context: bool = False
    betas: tuple[str, ...] = ()

    def has_beta(self, *prefixes: str) -> bool:
        """Return whether the request names a beta that starts with one of these prefixes."""
        return any(beta.startswith(prefixes) for beta in self.betas)

    @property
    def takes_sampling(self) -> bool:
        """Return whether `temperature`, `top_p` and `top_k` are accepted."""
        return self.version < (4, 7)

    @property
    def both_sampling_ok(self) -> bool:
        """Return whether `temperature` and `top_p` are accepted together."""
        return self.version < (4, 1)

    @property
    def thinking_enabled_ok(self) -> bool:
        """Return whether `thinking: {"type": "enabled", "budget_tokens": N}` is accepted."""
        return (3, 7) <= self.version < (4, 7)

    @property
    def adaptive_ok(self) -> bool:
        """Return whether `thinking: {"type": "adaptive"}` is accepted."""
        return self.version >= (4, 6)

    @property
    def thinking_off_ok(self) -> bool:
        """Return whether `thinking: {"type": "disabled"}` is accepted."""
        return self.version < _ALWAYS_THINKS.get(self.family, _ALWAYS_THINKS_ELSE)

    @property
    def hides_thinking(self) -> bool:
        """Return whether thinking text is omitted unless the request says `display: "summarized"`."""
        return self.version >= (4, 7)

    @property
    def prefill_ok(self) -> bool:
        """Return whether the last message may be from the assistant."""
        return self.version < (4, 6)

    @property
    def system_turns_ok(self) -> bool:
        """Return whether messages of role "system" may stand between the others."""
        return self.version >= (4, 8)

    @property
    def forced_tools_ok(self) -> bool:
        """Return whether `tool_choice` may be "any" or "tool". Source: the pages "What's new", since Fable 5.1."""
        return self.version < ((5, 1) if self.family in _ALWAYS_THINKS else (5, 5))

    @property
    def fast_ok(self) -> bool:
        """Return whether `speed: "fast"` is accepted. Source: "Fast mode"."""
        return self.version >= {"opus": (4, 8), "fable": (5, 2), "mythos": (5, 2)}.get(self.family, (99, 0))

    @property
    def takes_long_context(self) -> bool:
        """Return whether the beta for a window of 1M tokens is accepted. Source: "Context windows"."""
        return self.version >= ((4, 0) if self.family == "sonnet" else (4, 6))

    @property
    def structured_outputs_ok(self) -> bool:
        """Return whether `output_config.format` is accepted."""
        return self.version >= ((4, 1) if self.family == "opus" else (4, 5))

    @property
    def efforts(self) -> tuple[str, ...]:
        """Return the values that `output_config.effort` may have; none if the model does not accept it."""
        if self.version >= (4, 7):
            return ("low", "medium", "high", "xhigh", "max")
        if self.version >= (4, 6):
            return ("low", "medium", "high", "max")
        return ("low", "medium", "high") if (self.family, self.version) == ("opus", (4, 5)) else ()

    @property
    def caps_effort_without_thinking(self) -> bool:
        """Return whether efforts above "high" are rejected while thinking is off."""
        return (self.family, self.version) == ("opus", (5, 0))

    @cached_property
    def max_output(self) -> int:
        """Return the largest value of `max_tokens`."""
        if self.version >= (4, 6):
            return 128_000
        if self.version < (3, 7):
            return 8_192 if self.version >= (3, 5) else 4_096
        return 32_000 if self.family == "opus" and self.version < (4, 5) else 64_000

    @property
    def window(self) -> int:
        """Return the size of the context window in tokens."""
        is_long = self.version >= (4, 7) or (self.takes_long_context and self.long_context)
        return LONG_WINDOW if is_long else STANDARD_WINDOW


def describe(model_id: str, betas: Collection[str] = ()) -> Model:
    """Return the model with this id. `betas` are the values of the `anthropic-beta` header.

    The beta or a suffix `[1m]` requests a window of 1M tokens. An id that cannot be parsed gets the properties of the
    newest model, which rejects most.
    """
    name = model_id.removesuffix("[1m]")
    long_context = name != model_id or any(beta.startswith(LONG_CONTEXT_BETA) for beta in betas)
    match = _NEW_STYLE.fullmatch(name) or _OLD_STYLE.fullmatch(name)
    if match:
        version = (int(match["major"]), int(match["minor"] or 0))
        return Model(model_id, match["family"], version, long_context, tuple(betas))
    alias = _ALIAS.search(name)
    return Model(model_id, alias["family"] if alias else "", _NEWEST, long_context, tuple(betas))
