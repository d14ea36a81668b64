"""A turn, which every dialect translates requests into, and the events that the CLI yields for it.

Content is kept as Messages API content blocks (plain dicts, `{"type": "text", "text": …}`), because the CLI reads them
from stdin and the model finally sees them. Source: https://platform.claude.com/docs/en/api/messages

>>> turn = Turn((Message("user", ({"type": "text", "text": "Hi"},)),), requested_model="haiku")
>>> turn.sampling.max_tokens is None
True
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.accounts.account import DEFAULT
from gateway.approvals import ApprovalRequest
from gateway.hosted import SEARCH_USD, HostedEvent, HostedTool, as_plain_block, is_hosted
from gateway.json_schema import OutputSchema, ValueMapping
from gateway.json_schema.mapping import Schema
from gateway.mcp.toolbox import Toolbox
from gateway.remote import RemoteEvent, RemoteServer
from gateway.repairs import Repair
from gateway.serving import Serving
from gateway.usage import Usage as Usage
from gateway.usage import sum_usage as sum_usage
from gateway.workspace import AgentWorkspace

# Prices of cached input relative to fresh input: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
CACHE_READ_FACTOR = 0.1
CACHE_WRITE_FACTOR = 1.25
LONG_CACHE_WRITE_FACTOR = 2.0  # for a cache that lasts an hour

#: The largest number of answers to one request.
MAX_CHOICES = 8

#: The levels of effort, from the least thinking to the most.
EFFORTS = ("low", "medium", "high", "xhigh", "max")

#: The smallest thinking budget that the API accepts, in tokens.
MIN_THINKING_BUDGET = 1024

#: The types of blocks with thinking. Only the Messages API's clients send them back.
THINKING = ("thinking", "redacted_thinking")

#: A content block of the Messages API.
Block = dict[str, Any]
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the conversation. `content` is never empty and holds no blank text block."""

    role: Role
    content: tuple[Block, ...]


def has_thinking(message: Message) -> bool:
    """Return True if a message holds thinking."""
    return any(block["type"] in THINKING for block in message.content)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client defined. `input_schema` is a JSON schema of type object.

    `options` are further fields of the definition that the Messages API takes, for example `strict`. `mapping` is set
    if the schema was repaired in a way that changes the values: calls have the client's form everywhere outside of
    `claude`.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    mapping: ValueMapping | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """The tools that the model may or must call. `name` is set only with mode "tool".

    With `is_hosted`, it names a hosted tool instead of one of the client's. With a `server`, it names a tool of this
    remote server; without a name, mode "any" means any tool of the server. If it `is_exclusive`, the model may use no
    tools but those that the request names.
    """

    mode: Literal["auto", "any", "none", "tool"] = "auto"
    name: str | None = None
    parallel: bool = True
    is_hosted: bool = False
    server: str | None = None
    is_exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """The sampling parameters of a turn; None is the model's default. `max_tokens` includes thinking."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    top_k: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its capabilities.

    - `max_tokens` is the largest number of tokens in one answer, and `context_window` in a prompt with its answer;
      None if unknown.
    - `retires_at` is the date on which Anthropic's API stops serving the model, as YYYY-MM-DD; "" without a date.
    - Costs are in USD per 1,000 tokens, None if unknown; input read from the cache costs `cache_read_factor` of it.
    - `long_prompt_rates` are the tokens above which a prompt costs more, and the costs of input and output then.
    - `thinking` is "none", within a "budget" of tokens, or "adaptive"; `thinking_off` means that it can be turned off.
    - `sampling` says if the model accepts temperature and top_p together, one of them, or none.
    - `forced_tools` says if a request may force the model to call a tool.
    - `structured_outputs` says if the API limits its text to a JSON schema (`output_config.format`).
    - `fast_mode` and `wide_context` say if the model has fast mode, and a beta for a million tokens of context.
    - `service_tiers` says if it accepts `service_tier`.
    - `described` is False for a name that the CLI has not listed.
    """

    id: str
    name: str = ""
    description: str = ""
    max_tokens: int | None = None
    context_window: int | None = None
    input_cost_per_1k: float | None = None
    output_cost_per_1k: float | None = None
    cache_read_factor: float = CACHE_READ_FACTOR
    long_prompt_rates: tuple[int, float, float] | None = None
    supports_streaming: bool = True
    supports_tools: bool = True
    supports_images: bool = True
    thinking: Literal["none", "budget", "adaptive"] = "adaptive"
    thinking_off: bool = True
    sampling: Literal["both", "one", "none"] = "both"
    forced_tools: bool = True
    structured_outputs: bool = True
    fast_mode: bool = False
    wide_context: bool = False
    service_tiers: bool = True
    efforts: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    retires_at: str = ""
    described: bool = field(default=True, compare=False)

    def cost(self, usage: Usage) -> float | None:
        """Return the cost of `usage` in USD by the price table; None without prices."""
        if self.input_cost_per_1k is None or self.output_cost_per_1k is None:
            return None
        rates, long = (self.input_cost_per_1k, self.output_cost_per_1k), self.long_prompt_rates
        if long is not None and usage.prompt_tokens > long[0]:
            rates = long[1:]
        fresh = usage.input_tokens + self.cache_read_factor * usage.cache_read_tokens
        fresh += CACHE_WRITE_FACTOR * usage.cache_write_tokens
        fresh += (LONG_CACHE_WRITE_FACTOR - CACHE_WRITE_FACTOR) * usage.long_write_tokens
        tokens = (fresh * rates[0] + usage.output_tokens * rates[1]) / 1000
        return tokens + usage.web_searches * SEARCH_USD


@dataclass(frozen=True, slots=True)
class Turn:
    """A request to the model, with everything that shapes the answer.

    - `messages` alternate in role and end with the user's.
    - `requested_model` is the name that the client sent (None: the configured default). A dialect leaves `model` None;
      the answering layer resolves the name once and sets it.
    - `system` holds parts of the system prompt, which the CLI joins with a blank line.
    - `hosted_tools` run at the API. With `drops_hosted_calls`, the client may not send their calls and results back.
    - `remote_servers` are MCP servers whose tools the model may call. With `shows_remote_calls`, the client gets events
      about them, and with `takes_approvals` it can be asked for approvals. The answering layer adds their tools to
      `tools`, and sets the `toolbox` that calls them.
    - `output_schema` is the JSON schema that the answer must follow, in the forms of `gateway.json_schema`.
    - `effort` is one of EFFORTS. `thinking` False turns thinking off if the model allows it, True keeps it on.
      `thinking_budget` limits the tokens to think with, for models that think within a budget.
    - `context_edits` are the API's own changes to a long prompt (`context_management.edits`).
    - `serving` says how the API shall serve the turn, for example fast.
    - `owner` identifies the client: a process that answered one owner is never used for another.
    - `project` is the id of the project ("" for none), and separates processes in the same way. `agent_workspace` is
      set if Claude Code itself works in the project, with its own tools instead of the client's.
    - `accounts` are the names of the accounts that may answer it.
    - `is_batch` is set for a turn of a batch. All other turns have priority over it.
    """

    messages: tuple[Message, ...]
    requested_model: str | None = None
    model: Model | None = None
    system: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    hosted_tools: tuple[HostedTool, ...] = ()
    drops_hosted_calls: bool = False
    remote_servers: tuple[RemoteServer, ...] = ()
    shows_remote_calls: bool = field(default=False, compare=False)
    takes_approvals: bool = field(default=False, compare=False)
    toolbox: Toolbox | None = field(default=None, compare=False, repr=False)
    output_schema: OutputSchema | None = None
    effort: str | None = None
    thinking: bool | None = None
    thinking_budget: int | None = None
    context_edits: tuple[Mapping[str, Any], ...] = ()
    serving: Serving = field(default_factory=Serving)
    owner: str = ""
    project: str = ""
    agent_workspace: AgentWorkspace | None = None
    accounts: tuple[str, ...] = (DEFAULT,)
    is_batch: bool = False

    def count_characters(self) -> int:
        """Return the characters of the messages, in about the bytes that they take. This reads all of them."""
        return _count_characters([message.content for message in self.messages])

    @property
    def has_thinking(self) -> bool:
        """Return True if the client has sent thinking back."""
        return any(map(has_thinking, self.messages))

    def without_thinking(self) -> Turn:
        """Return a copy without the thinking of earlier answers."""
        messages = (
            replace(
                message, content=tuple(block for block in message.content if block["type"] not in THINKING)
            )
            for message in self.messages
        )
        return replace(self, messages=tuple(messages))

    @property
    def has_hosted_calls(self) -> bool:
        """Return True if earlier answers have calls or citations of hosted tools."""
        answers = (message for message in self.messages if message.role == "assistant")
        return any(is_hosted(block) for message in answers for block in message.content)

    def without_hosted_calls(self) -> Turn:
        """Return a copy in which the calls and results of hosted tools are texts."""
        messages = (
            replace(message, content=tuple(map(as_plain_block, message.content)))
            if message.role == "assistant"
            else message
            for message in self.messages
        )
        return replace(self, messages=tuple(messages))

    @property
    def resolved_model(self) -> Model:
        """Return the model. Raises ValueError if the name was not resolved."""
        if self.model is None:
            raise ValueError("The turn's model was not resolved.")
        return self.model

    @property
    def output_format(self) -> Schema | None:
        """Return the schema for the API's structured output, if the model and the schema are made for it."""
        has_format = self.model is not None and self.model.structured_outputs
        return self.output_schema.format if has_format and self.output_schema is not None else None

    @property
    def output_tool_schema(self) -> Schema | None:
        """Return the schema of the CLI's tool StructuredOutput, if the answer has to come through it."""
        if self.output_schema is None or self.output_format is not None:
            return None
        return self.output_schema.tool


@dataclass(frozen=True, slots=True)
class Started:
    """The model has started to answer.

    `model` is its full name. `ignored` names the parameters, as concepts, that the model cannot take. `usage` holds the
    tokens of the prompt. `session` is the CLI's id of the conversation in its process. `repaired` holds the repairs for
    this model. `speed` and `service_tier` are the API's own words, "" if it does not tell.
    """

    model: str
    ignored: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    session: str = ""
    repaired: tuple[Repair, ...] = ()
    speed: str = ""
    service_tier: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A fragment of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A fragment of the model's visible thinking."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingSignature:
    """The signature of the thinking that has just ended. The API wants it back with the thinking."""

    signature: str


@dataclass(frozen=True, slots=True)
class RedactedThinking:
    """Thinking that only the API can read."""

    data: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a client's tool has started. `index` counts the calls of this answer from 0."""

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
    """All text so far is void: it did not follow the output schema, and the model writes it again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model wrote text instead of the structured output."""

    text: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing has arrived for a while, but the turn goes on, so a stream can send a keep-alive."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is complete.

    `stop_reason` is the Messages API's (end_turn, max_tokens, stop_sequence, …), and `stop_sequence` the sequence that
    ended the answer. `context_management` tells the edits of the prompt that the API has made.
    """

    stop_reason: str
    usage: Usage
    stop_sequence: str | None = None
    context_management: Mapping[str, Any] | None = None


Event = (
    Started
    | Text
    | Thinking
    | ThinkingSignature
    | RedactedThinking
    | ToolCall
    | ToolArguments
    | ApprovalRequest
    | Retracted
    | Refusal
    | Idle
    | Done
    | HostedEvent
    | RemoteEvent
)

#: Events that arrived together, in order; never empty.
Batch = list[Event]


def _count_characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        value = value.values()
    return sum(map(_count_characters, value)) if isinstance(value, Collection) else 0
