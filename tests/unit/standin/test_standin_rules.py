"""The stand-in rejects the requests that the real Messages API rejects, and no others."""

import pytest

from tests.standin import (
    describe,
    rejection,
)
from tests.support.recorded import Body
from tests.support.rule_tables import Row, assert_ruled, rule_cases
from tests.support.standin_client import (
    AUTO,
    FABLE_5,
    HAIKU_4_5,
    OFF,
    ON,
    OPUS_4_0,
    OPUS_4_6,
    OPUS_4_8,
    request,
    tool,
)

SAMPLING: list[Row] = [
    (request(OPUS_4_0, temperature=0.2, top_p=0.9), None),
    (request(OPUS_4_0, top_k=5), None),
    (request(HAIKU_4_5, temperature=0), None),
    (request(OPUS_4_6, temperature=0.2), None),
    (request(OPUS_4_8, temperature=1), "`temperature` is deprecated for this model."),
    (request(OPUS_4_8, top_p=1), "`top_p` is deprecated"),
    (request(OPUS_4_8, top_k=1), "`top_k` is deprecated"),
    (request("claude-opus-4-7", temperature=0), "deprecated"),
    (request("claude-sonnet-5", temperature=0), "deprecated"),
    (request("claude-haiku-5-5", temperature=0), "deprecated"),
    (request(FABLE_5, temperature=0), "deprecated"),
    (request("claude-of-tomorrow", temperature=0), "deprecated"),
    (request(HAIKU_4_5, temperature=0.2, top_p=0.9), "cannot both be specified"),
    (request(OPUS_4_6, temperature=0.2, top_p=0.9), "cannot both be specified"),
    (request("claude-opus-4-1-20250805", temperature=1, top_p=1), "cannot both be specified"),
    (request("claude-sonnet-4-5", temperature=1, top_p=1), "cannot both be specified"),
    (request("claude-sonnet-4-20250514", temperature=1, top_p=1), None),
    (request(HAIKU_4_5, temperature=1, thinking=ON), None),
    (request(HAIKU_4_5, temperature=0.5, thinking=ON), "may only be set to 1"),
    (request(OPUS_4_6, temperature=0.5, thinking=AUTO), "may only be set to 1"),
    (request(OPUS_4_6, temperature=0.5, thinking=OFF), None),
    (request(HAIKU_4_5, top_p=0.95, thinking=ON), None),
    (request(HAIKU_4_5, top_p=0.94, thinking=ON), "0.95"),
    (request(HAIKU_4_5, top_k=5, thinking=ON), "top_k"),
    (request(HAIKU_4_5, temperature=1.5), "range"),
    (request(HAIKU_4_5, temperature="hot"), "valid number"),
]

THINKING: list[Row] = [
    (request(HAIKU_4_5, thinking=ON), None),
    (request(HAIKU_4_5, thinking=ON, max_tokens=1024), "greater than `thinking.budget_tokens`"),
    (request(HAIKU_4_5, thinking=ON, max_tokens=500), "greater than `thinking.budget_tokens`"),
    (request(HAIKU_4_5, thinking=ON, max_tokens=1025), None),
    (
        request(HAIKU_4_5, thinking={"type": "enabled", "budget_tokens": 1023}),
        "greater than or equal to 1024",
    ),
    (request(HAIKU_4_5, thinking={"type": "enabled"}), "budget_tokens: Field required"),
    (request(HAIKU_4_5, thinking={"type": "often"}), "Input tag"),
    (request(HAIKU_4_5, thinking=AUTO), "not supported"),
    (request(HAIKU_4_5, thinking=OFF), None),
    (request("claude-3-5-haiku-20241022", thinking=ON), "not supported"),
    (request("claude-3-7-sonnet-20250219", thinking=ON), None),
    (request(OPUS_4_6, thinking=ON), None),
    (request(OPUS_4_6, thinking=AUTO), None),
    (request(OPUS_4_8, thinking=ON), '"thinking.type.enabled" is not supported'),
    (request("claude-opus-4-7", thinking=ON), "not supported"),
    (request("claude-sonnet-5", thinking=ON), "not supported"),
    (request(OPUS_4_8, thinking=AUTO), None),
    (request(OPUS_4_8, thinking={"type": "adaptive", "display": "summarized"}), None),
    (request(OPUS_4_8, thinking={"type": "adaptive", "display": "loud"}), "display"),
    (request(OPUS_4_8, thinking={"type": "adaptive", "budget_tokens": 2000}), "Extra inputs"),
    (request(OPUS_4_8, thinking=OFF), None),
    (request("claude-opus-5", thinking=OFF), None),
    (request(FABLE_5, thinking=OFF), '"thinking.type.disabled" is not supported'),
    (request("claude-opus-5-5", thinking=OFF), "not supported"),
    (request("claude-sonnet-5-5", thinking=OFF), "not supported"),
    (request("claude-haiku-5-5", thinking=OFF), "not supported"),
    (request(OPUS_4_8, output_config={"effort": "xhigh"}), None),
    (request(OPUS_4_8, output_config={"effort": "huge"}), "output_config.effort"),
    (request(OPUS_4_6, output_config={"effort": "xhigh"}), "output_config.effort"),
    (request(HAIKU_4_5, output_config={"effort": "low"}), "does not support the effort"),
    (request("claude-opus-5", thinking=OFF, output_config={"effort": "max"}), "when thinking is disabled"),
]

LIMITS: list[Row] = [
    (request(max_tokens=None), "max_tokens: Field required"),
    (request(max_tokens="9"), "max_tokens: Input should be a valid integer"),
    (request(max_tokens=-1), "max_tokens: must be greater than or equal to 0"),
    (request(max_tokens=0), None),
    (request(max_tokens=0, stream=True), "greater than or equal to 1"),
    (request(max_tokens=0, tools=[tool()], tool_choice={"type": "any"}), "greater than or equal to 1"),
    (request(HAIKU_4_5, max_tokens=0, thinking=ON), "greater than or equal to 1"),
    (request(max_tokens=1), None),
    (request(OPUS_4_8, max_tokens=128_000), None),
    (request(OPUS_4_8, max_tokens=128_001), "128001 > 128000"),
    (request(HAIKU_4_5, max_tokens=64_001), "64001 > 64000"),
    (request(OPUS_4_0, max_tokens=32_001), "32001 > 32000"),
    (request("claude-3-5-haiku-20241022", max_tokens=8_193), "8193 > 8192"),
    (request("claude-3-haiku-20240307", max_tokens=4_097), "4097 > 4096"),
    (request(stop_sequences=["END", "\n\nHuman:"]), None),
    (request(stop_sequences=[" \n"]), "non-whitespace"),
    (request(stop_sequences=[""]), "non-whitespace"),
    (request(stop_sequences="END"), "stop_sequences: Input should be a valid array"),
    (request(stop_sequences=["x"] * 8192), "at most 8191"),
    (request(HAIKU_4_5, content="word " * 150_000), None),
    (request(HAIKU_4_5, content="word " * 170_000), "prompt is too long: 2125"),
    (request(OPUS_4_8, content="word " * 170_000), None),
    (request(OPUS_4_8, content="word " * 810_000), "> 1000000 maximum"),
    (request("claude-sonnet-4-6[1m]", content="word " * 170_000), None),
    (request("claude-sonnet-4-6", content="word " * 170_000), "> 200000 maximum"),
    (request("claude-haiku-4-5[1m]", content="word " * 170_000), "> 200000 maximum"),
    (request(frequency_penalty=1), "frequency_penalty: Extra inputs"),
    (request(stream="yes"), "valid boolean"),
    (request(""), "model: String should have at least 1 character"),
    (request(metadata={"user_id": "u" * 256}), None),
    (request(metadata={"user_id": "u" * 257}), "metadata.user_id: String should have at most 256"),
    (request(container="container_1"), "only be provided when using the code execution tool"),
    (
        request(
            container="container_1",
            tools=[{"type": "code_execution_20250825", "name": "code_execution"}],
        ),
        None,
    ),
]

CONTEXT_BETA = ["context-management-2025-06-27"]
CLEAR_THINKING = {"type": "clear_thinking_20251015", "keep": "all"}
CLEAR_TOOLS = {"type": "clear_tool_uses_20250919"}

# Fields that the API knows only with a beta header.
BETAS: list[Row] = [
    (request(context_management={"edits": [CLEAR_TOOLS]}), "context_management: Extra inputs"),
    (request(context_management={"edits": [CLEAR_TOOLS]}), None, CONTEXT_BETA),
    (
        request(context_management={"edits": [CLEAR_TOOLS, CLEAR_TOOLS]}),
        "only be specified once",
        CONTEXT_BETA,
    ),
    (request(context_management={"edits": [{"type": "forget"}]}), "Input tag 'forget'", CONTEXT_BETA),
    (
        request(context_management={"edits": [CLEAR_THINKING]}),
        "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive",
        CONTEXT_BETA,
    ),
    (request(thinking=AUTO, context_management={"edits": [CLEAR_THINKING]}), None, CONTEXT_BETA),
    (
        request(thinking=AUTO, context_management={"edits": [CLEAR_TOOLS, CLEAR_THINKING]}),
        "must be the first edit",
        CONTEXT_BETA,
    ),
    (request(speed="fast"), "speed: Extra inputs are not permitted"),
    (request(speed="fast"), None, ["fast-mode-2026-02-01"]),
    (request(speed="rapid"), "speed: Input should be 'fast' or 'standard'", ["fast-mode-2026-02-01"]),
    (request(mcp_servers=[]), "mcp_servers: Extra inputs are not permitted"),
    (request(mcp_servers=[]), None, ["mcp-client-2025-11-20"]),
    (request(fallbacks="default"), "fallbacks: Extra inputs are not permitted"),
    (request(fallbacks="default"), None, ["server-side-fallback-2026-07-01"]),
    (request(output_config={"task_budget": {"type": "tokens", "total": 9}}), "task_budget: Extra inputs"),
    (
        request(output_config={"task_budget": {"type": "tokens", "total": 9}}),
        None,
        ["task-budgets-2026-03-13"],
    ),
    (request(thinking={**AUTO, "block_binding": {}}), "thinking.block_binding: Extra inputs"),
    (request(thinking={**AUTO, "block_binding": {}}), None, ["thinking-binding-controls-2026-08-01"]),
    (request(thinking={**AUTO, "display": "updates"}), "display: Input should be"),
    (request(thinking={**AUTO, "display": "updates"}), None, ["thinking-display-updates-2026-08-18"]),
]


@pytest.mark.parametrize(
    ("body", "expected", "betas"),
    rule_cases(sampling=SAMPLING, thinking=THINKING, limits=LIMITS, betas=BETAS),
)
def test_parameter_is_accepted_or_rejected_as_the_api_does(
    body: Body, expected: str | None, betas: list[str]
) -> None:
    assert_ruled(body, expected, betas)


def test_body_that_is_not_an_object_is_rejected() -> None:
    assert rejection(["hi"])


def test_long_context_beta_widens_the_window() -> None:
    body = request("claude-sonnet-4-5", content="word " * 170_000)
    assert rejection(body)
    assert rejection(body, ["context-1m-2025-08-07"]) is None


@pytest.mark.parametrize(
    ("model", "family", "version"),
    [
        ("claude-opus-4-8", "opus", (4, 8)),
        ("claude-sonnet-5", "sonnet", (5, 0)),
        ("claude-haiku-4-5-20251001", "haiku", (4, 5)),
        ("claude-sonnet-4-20250514", "sonnet", (4, 0)),
        ("claude-fable-5", "fable", (5, 0)),
        ("claude-3-5-haiku-20241022", "haiku", (3, 5)),
        ("claude-3-7-sonnet-20250219", "sonnet", (3, 7)),
        ("claude-3-7-sonnet-latest", "sonnet", (3, 7)),
        ("claude-3-opus-20240229", "opus", (3, 0)),
        ("sonnet[1m]", "sonnet", (5, 5)),
    ],
)
def test_model_id_is_parsed(model: str, family: str, version: tuple[int, int]) -> None:
    known = describe(model)
    assert (known.family, known.version) == (family, version)
