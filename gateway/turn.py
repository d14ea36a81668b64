"""The one shape every dialect translates to and the CLI is driven from: a turn, and the events it yields.

Content is kept as Messages API content blocks (plain dicts, `{"type": "text", "text": …}`), because that is what
the CLI takes over stdin and what the model finally sees. Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

# Prices of cached input relative to fresh input: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
CACHE_READ_FACTOR = 0.1
CACHE_WRITE_FACTOR = 1.25

#: How many answers one request may ask for.
MAX_CHOICES = 8

#: How much a model can be asked to think, from the least to the most.
EFFORTS = ("low", "medium", "high", "xhigh", "max")

#: A content block of the Messages API.
Block = dict[str, Any]
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation. `content` is never empty and holds no blank text block."""

    role: Role
    content: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the client defined. `input_schema` is a JSON schema of type object."""

    name: str
    description: str
    input_schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tools the model may or must call. `name` goes with mode "tool" only."""

    mode: Literal["auto", "any", "none", "tool"] = "auto"
    name: str | None = None
    parallel: bool = True


@dataclass(frozen=True, slots=True)
class Sampling:
    """Per-turn sampling parameters; None means the model's own default. `max_tokens` counts thinking too."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentWorkspace:
    """Where and with what Claude Code itself works on an answer, as an agent.

    `folder` is the absolute path of its working folder. `tools` are built-in tools of Claude Code; `allowed` are
    permission rules (`Bash`, `Bash(git log *)`) for what may be done without asking: nobody is there to be asked, so
    that all else is denied. `permission_mode` is one of default, acceptEdits, dontAsk. `max_turns` is how many API
    messages the answer may take. `instructions` are the project's own (its CLAUDE.md). With `reports_activity` the
    use of tools shows as thinking.
    """

    folder: str
    tools: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    permission_mode: str = "default"
    max_turns: int = 30
    instructions: str = ""
    reports_activity: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one answer, by kind, and its cost in USD (None if unknown).

    `input_tokens` excludes tokens read from or written to the prompt cache, as in the Messages API. `output_tokens`
    includes thinking, and `thinking_tokens` is that share.

    >>> Usage(input_tokens=3, cache_read_tokens=7, output_tokens=2).total_tokens
    12
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cost_usd: float | None = None

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
        return self._combine(other, 1, sum(costs) if costs else None)

    def __sub__(self, other: Usage) -> Usage:
        """Subtract tokens. The cost of the difference is unknown."""
        return self._combine(other, -1, None)

    def with_cost(self, cost_usd: float | None) -> Usage:
        """Return a copy with this cost."""
        return replace(self, cost_usd=cost_usd)

    def _combine(self, other: Usage, sign: int, cost_usd: float | None) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + sign * other.input_tokens,
            cache_read_tokens=self.cache_read_tokens + sign * other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + sign * other.cache_write_tokens,
            output_tokens=self.output_tokens + sign * other.output_tokens,
            thinking_tokens=self.thinking_tokens + sign * other.thinking_tokens,
            cost_usd=cost_usd,
        )


def sum_usage(usages: Iterable[Usage]) -> Usage:
    """Return the usage of all answers to one request. Each answer read the prompt again, so prompts add up too."""
    return sum(usages, Usage())


@dataclass(frozen=True, slots=True)
class Model:
    """One model and what it takes.

    `max_tokens` is the most it writes; costs are USD per 1,000 tokens, None where unknown, and input read from the
    cache costs `cache_read_factor` of fresh input. `thinking` tells how it
    thinks: not at all, within a budget, or as it sees fit; `sampling` whether temperature and top_p may come
    both, one of them or not at all; `described` is False for a name that nobody told us about.
    """

    id: str
    name: str = ""
    description: str = ""
    max_tokens: int | None = None
    input_cost_per_1k: float | None = None
    output_cost_per_1k: float | None = None
    cache_read_factor: float = CACHE_READ_FACTOR
    supports_streaming: bool = True
    supports_tools: bool = True
    thinking: Literal["none", "budget", "adaptive"] = "adaptive"
    thinking_off: bool = True
    sampling: Literal["both", "one", "none"] = "both"
    efforts: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    described: bool = field(default=True, compare=False)

    def cost(self, usage: Usage) -> float | None:
        """USD for `usage` by the price table; None without prices."""
        if self.input_cost_per_1k is None or self.output_cost_per_1k is None:
            return None
        fresh = usage.input_tokens + self.cache_read_factor * usage.cache_read_tokens
        fresh += CACHE_WRITE_FACTOR * usage.cache_write_tokens
        return (fresh * self.input_cost_per_1k + usage.output_tokens * self.output_cost_per_1k) / 1000


@dataclass(frozen=True, slots=True)
class Turn:
    """One question to the model with everything that shapes the answer.

    `owner` stands for whoever asks: a process that answered one owner is never used for another.
    `project` is the id of the project, for which the same holds ("": none); `agent_workspace` is there if Claude Code
    itself is to work in it, with its own tools instead of the client's.
    `output_schema` is a JSON schema of type object that the answer has to follow; `effort` is one of low, medium,
    high, xhigh, max; `thinking` False turns thinking off where the model allows it, True keeps it on.
    `thinking_budget` is the most tokens to think with, for models that think within a budget.

    `messages` alternate in role and end with the user's. `requested_model` is the name that the client sent (None: the
    configured default). A dialect leaves `model` None; the answering layer resolves the name once and sets it.
    `system` parts are joined with a blank line by the CLI.
    """

    messages: tuple[Message, ...]
    requested_model: str | None = None
    model: Model | None = None
    system: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    output_schema: Mapping[str, Any] | None = None
    effort: str | None = None
    thinking: bool | None = None
    thinking_budget: int | None = None
    owner: str = ""
    project: str = ""
    agent_workspace: AgentWorkspace | None = None

    @property
    def resolved_model(self) -> Model:
        """Return the model. Raises ValueError for a turn whose name was not resolved."""
        if self.model is None:
            raise ValueError("The turn's model was not resolved.")
        return self.model


@dataclass(frozen=True, slots=True)
class Started:
    """The model began to answer. `model` is its full name; `ignored` names parameters it could not take.

    `usage` is what is known at the beginning: the tokens of the prompt. `session` is what the CLI calls the
    conversation that its process has.
    """

    model: str
    ignored: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    session: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of the model's visible reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a client's tool begins. `index` counts the calls of this answer from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """A fragment of the JSON text of a call's arguments."""

    index: int
    fragment: str


@dataclass(frozen=True, slots=True)
class Retracted:
    """All text so far is void: it did not follow the output schema and the model writes it again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model gave words instead of the structured output it was asked for."""

    text: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing came for a while; the turn goes on. Lets a stream send a keep-alive."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is complete. `stop_reason` is the Messages API's (end_turn, max_tokens, stop_sequence, …).

    `stop_sequence` is the one that was found.
    """

    stop_reason: str
    usage: Usage
    stop_sequence: str | None = None


Event = Started | Text | Thinking | ToolCall | ToolArguments | Retracted | Refusal | Idle | Done

#: Events that arrived together, in order; never empty.
Batch = list[Event]
