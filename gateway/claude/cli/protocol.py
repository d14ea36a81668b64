"""The messages of the CLI's stream-json protocol, in both directions.

Each message is one JSON object on one line, for example a piece of text on the CLI's stdout:

    {"type": "stream_event", "event": {"type": "content_block_delta", "index": 0, "delta": {…}}, …}

The types list only the fields that the gateway reads or writes. The full protocol is in `sdk.d.ts` of the npm package
`@anthropic-ai/claude-agent-sdk`; the events inside `stream_event` are documented at
https://platform.claude.com/docs/en/build-with-claude/streaming. Readers must skip types that are not listed here.
Fields that a message may lack are in classes with `total=False`; read those with `get`.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from gateway.turn import Block, Role

# Events of the Messages API


class CacheCreation(TypedDict, total=False):
    """The tokens written to the prompt cache, by how long they are kept."""

    ephemeral_1h_input_tokens: int | None


class ApiUsage(TypedDict, total=False):
    """Token counts of one API message, or in a `result` of the CLI's whole turn, and how the API served it."""

    input_tokens: int | None
    cache_read_input_tokens: int | None
    cache_creation_input_tokens: int | None
    output_tokens: int | None
    output_tokens_details: Mapping[str, int] | None
    server_tool_use: Mapping[str, int] | None
    cache_creation: CacheCreation | None
    speed: str | None
    service_tier: str | None


class ApiMessage(TypedDict, total=False):
    """A message as it begins (`message_start`) or as a whole (`assistant`, `user`)."""

    model: str
    content: str | list[Block]
    usage: ApiUsage | None


class MessageStart(TypedDict):
    """The model begins a message."""

    type: Literal["message_start"]
    message: ApiMessage


class ContentBlockStart(TypedDict):
    """A block of text, thinking or a tool call begins. The result of a hosted tool is complete from the start."""

    type: Literal["content_block_start"]
    index: int
    content_block: Block


class Delta(TypedDict, total=False):
    """A piece of text, of reasoning or of a call's JSON; a signature of thinking; or a source of the text."""

    type: Literal["text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta"]
    text: str
    thinking: str
    partial_json: str
    signature: str
    citation: Mapping[str, Any]


class ContentBlockDelta(TypedDict):
    """A block grows."""

    type: Literal["content_block_delta"]
    index: int
    delta: Delta


class ContentBlockStop(TypedDict):
    """A block is complete."""

    type: Literal["content_block_stop"]
    index: int


class StopDelta(TypedDict, total=False):
    """Why the model stopped."""

    stop_reason: str | None
    stop_sequence: str | None


class MessageDelta(TypedDict, total=False):
    """The message is complete."""

    type: Literal["message_delta"]
    delta: StopDelta
    usage: ApiUsage
    context_management: Mapping[str, Any] | None


ApiEvent = MessageStart | ContentBlockStart | ContentBlockDelta | ContentBlockStop | MessageDelta

# Messages from the CLI


class StreamEventMessage(TypedDict, total=False):
    """An event of the Messages API. `parent_tool_use_id` is set for the messages of a subagent."""

    type: Literal["stream_event"]
    event: ApiEvent
    parent_tool_use_id: str | None


class CompleteMessage(TypedDict, total=False):
    """A complete API message of the model, or (`user`) the results of the CLI's own tools.

    With `error` the message stands for a failure instead.
    """

    type: Literal["assistant", "user"]
    message: ApiMessage
    error: str
    parent_tool_use_id: str | None


class SystemMessage(TypedDict, total=False):
    """`init` announces a turn; `api_retry` says that the CLI will repeat a failed API request.

    `permission_denied` says that an agent may not use a tool in this way.
    """

    type: Literal["system"]
    subtype: str
    session_id: str  # init
    tools: list[str]  # init
    error: str  # api_retry
    error_status: int | None  # api_retry
    tool_name: str  # permission_denied
    tool_use_id: str  # permission_denied
    message: str  # permission_denied
    retry_delay_ms: float  # api_retry


class ModelUsage(TypedDict, total=False):
    """The tokens of one model in the CLI's turn, subagents included."""

    inputTokens: int
    outputTokens: int
    cacheReadInputTokens: int
    cacheCreationInputTokens: int
    thinkingTokens: int


class ResultMessage(TypedDict, total=False):
    """The end of the CLI's turn. `total_cost_usd` covers the whole life of the process, `usage` no subagents."""

    type: Literal["result"]
    subtype: str
    is_error: bool
    result: str | None
    errors: list[str]
    api_error_status: int | None
    terminal_reason: str | None
    stop_reason: str | None
    structured_output: Any
    total_cost_usd: float
    usage: ApiUsage
    model_usage_since_last_result: dict[str, ModelUsage]


class RateLimitFigures(TypedDict, total=False):
    """One rate-limit window. `utilization` is a fraction, `resetsAt` Unix time; `status` is as in `Window`."""

    utilization: float | None
    resetsAt: float | None
    status: str | None


class RateLimitInfo(RateLimitFigures, total=False):
    """The window that limits the account now, and all windows by name in `unifiedWindows`."""

    rateLimitType: str
    unifiedWindows: dict[str, RateLimitFigures]


class RateLimitMessage(TypedDict, total=False):
    """News about the rate limits of the account."""

    type: Literal["rate_limit_event"]
    rate_limit_info: RateLimitInfo | None


class HookInput(TypedDict, total=False):
    """The report of a hook: a tool of the CLI is about to run, or has run. `agent_type` is set in a subagent."""

    hook_event_name: str
    tool_name: str
    tool_input: dict[str, Any]
    tool_use_id: str
    tool_response: Any
    error: str
    duration_ms: int
    agent_type: str


class CliControlRequest(TypedDict, total=False):
    """A request of the CLI.

    `mcp_message` carries JSON-RPC for the server that holds the client's tools; `hook_callback` has the `input` of a
    hook. `can_use_tool` asks for permission to make a call with this `input`; the suggestions are rules that would
    allow all calls of this kind.
    """

    subtype: str
    message: dict[str, Any]
    input: Any  # can_use_tool: the arguments; hook_callback: a HookInput
    tool_name: str  # can_use_tool
    tool_use_id: str  # can_use_tool
    permission_suggestions: list[dict[str, Any]]  # can_use_tool


class CliControlRequestMessage(TypedDict):
    """A control request of the CLI with the id that the response must repeat."""

    type: Literal["control_request"]
    request_id: str
    request: CliControlRequest


class CancelRequestMessage(TypedDict):
    """The CLI no longer waits for the response to one of its control requests."""

    type: Literal["control_cancel_request"]
    request_id: str


class ControlResponse(TypedDict, total=False):
    """The result of a control request, from either side: `response` on success, `error` otherwise."""

    subtype: Literal["success", "error"]
    request_id: str
    response: Any
    error: str


class ControlResponseMessage(TypedDict):
    """A response to a control request."""

    type: Literal["control_response"]
    response: ControlResponse


CliMessage = (
    StreamEventMessage
    | CompleteMessage
    | SystemMessage
    | ResultMessage
    | RateLimitMessage
    | CliControlRequestMessage
    | CancelRequestMessage
    | ControlResponseMessage
)

# Results of control requests to the CLI


class ModelInfo(TypedDict, total=False):
    """One model of the CLI's own catalog."""

    value: str
    resolvedModel: str
    displayName: str
    description: str
    supportsAdaptiveThinking: bool
    supportsThinkingOff: bool
    supportsFastMode: bool
    supportedEffortLevels: list[str]


class AccountInfo(TypedDict, total=False):
    """The login of the CLI. A source of "none" is the same as no source."""

    tokenSource: str
    apiKeySource: str
    apiProvider: str
    subscriptionType: str


class ContextCategory(TypedDict):
    """A part of the context window, for example the tools or the messages."""

    kind: str
    tokens: int


class ControlResult(TypedDict, total=False):
    """The inner response to the requests whose answers the gateway reads."""

    models: list[ModelInfo]  # list_models, initialize
    account: AccountInfo | None  # initialize
    categories: list[ContextCategory]  # get_context_usage
    rewound: bool  # rewind_conversation
    reason: str  # why it was not rewound


# Messages to the CLI


class InitializeRequest(TypedDict, total=False):
    """Turn a generic process into one conversation's: system text, tools and output schema."""

    subtype: Literal["initialize"]
    systemPrompt: list[str]
    appendSystemPrompt: str
    jsonSchema: dict[str, Any]
    toolAliases: dict[str, str]
    sdkMcpServers: list[str]
    sdkMcpServerConfigs: dict[str, Any]
    sdkMcpServerManifests: dict[str, Any]
    hooks: dict[str, Any]
    agents: Mapping[str, Mapping[str, Any]]


class SetThinkingRequest(TypedDict):
    """Set the thinking budget in tokens: None leaves it to the CLI, 0 turns thinking off."""

    subtype: Literal["set_max_thinking_tokens"]
    max_thinking_tokens: int | None
    thinking_display: Literal["summarized"]


class FlagSettings(TypedDict, total=False):
    """Settings of a turn. None undoes a setting, and environment variables set to "" count as unset.

    Settings and variables that are left out keep their earlier values.
    """

    env: dict[str, str]
    effortLevel: str | None
    model: str | None
    fastMode: bool | None


class ApplySettingsRequest(TypedDict):
    """Apply settings from the next turn on."""

    subtype: Literal["apply_flag_settings"]
    settings: FlagSettings


class QueryRequest(TypedDict):
    """A question about the process that changes nothing."""

    subtype: Literal["list_models", "get_binary_version", "get_context_usage"]


class RewindRequest(TypedDict):
    """Take back a user message and everything after it. The last user message must be named too."""

    subtype: Literal["rewind_conversation"]
    target_message_uuid: str
    last_seen_user_message_uuid: str


ControlRequest = InitializeRequest | SetThinkingRequest | ApplySettingsRequest | QueryRequest | RewindRequest


class SpokenContent(TypedDict):
    """The role and the blocks of a message."""

    role: Role
    content: list[Block]


class InputContent(SpokenContent, total=False):
    """A message, and the model that wrote it. The CLI drops the thinking of a message without it."""

    model: str


class InputMessage(TypedDict, total=False):
    """A message of the conversation. `client_composed` keeps @paths and /commands in its text as they are.

    With `shouldQuery` False the message becomes part of the history and the model is not asked.
    """

    type: Role
    message: InputContent
    parent_tool_use_id: None
    session_id: str
    uuid: str
    client_composed: bool
    shouldQuery: bool
