"""Packages for Node that take a base URL and a key."""

from gateway.client_recipes.recipe import Dialect, Recipe


def _recipe(name: str, title: str, dialect: Dialect, code: str) -> Recipe:
    return Recipe(name=name, title=title, dialect=dialect, code=code, language="js")


_OPENAI = """\
import OpenAI from "openai";

export const client = new OpenAI({ baseURL: "{base_url}", apiKey: "{key}" });
"""
OPENAI = _recipe("openai-node", "openai-node", "chat", _OPENAI)
OPENAI_RESPONSES = _recipe("openai-node-responses", "openai-node", "responses", _OPENAI)
AI_SDK_COMPATIBLE = _recipe(
    "ai-sdk",
    "AI SDK",
    "chat",
    """\
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

const gateway = createOpenAICompatible({ name: "gateway", baseURL: "{base_url}", apiKey: "{key}" });
export const model = gateway("{model}");
""",
)
AI_SDK_OPENAI = _recipe(
    "ai-sdk-openai",
    "AI SDK",
    "responses",
    """\
import { createOpenAI } from "@ai-sdk/openai";

const gateway = createOpenAI({ baseURL: "{base_url}", apiKey: "{key}" });
export const model = gateway("{model}");
""",
)
AI_SDK_ANTHROPIC = _recipe(
    "ai-sdk-anthropic",
    "AI SDK",
    "messages",
    """\
import { createAnthropic } from "@ai-sdk/anthropic";

const gateway = createAnthropic({ baseURL: "{base_url}", apiKey: "{key}" });
export const model = gateway("{model}");
""",
)
AGENTS = _recipe(
    "openai-agents-js",
    "OpenAI Agents SDK for Node",
    "responses",
    """\
import { Agent, setDefaultOpenAIClient, setTracingDisabled } from "@openai/agents";
import OpenAI from "openai";

setTracingDisabled(true); // traces would go to OpenAI
setDefaultOpenAIClient(new OpenAI({ baseURL: "{base_url}", apiKey: "{key}" }));
export const agent = new Agent({ name: "Assistant", model: "{model}" });
""",
)
ANTHROPIC = _recipe(
    "anthropic-sdk-node",
    "Anthropic SDK for Node",
    "messages",
    """\
import Anthropic from "@anthropic-ai/sdk";

export const client = new Anthropic({ baseURL: "{address}", apiKey: "{key}" }); // without /v1
""",
)

AI_SDK = (AI_SDK_COMPATIBLE, AI_SDK_OPENAI, AI_SDK_ANTHROPIC)
RECIPES = (OPENAI, OPENAI_RESPONSES, *AI_SDK, AGENTS, ANTHROPIC)
