"""opencode, a coding agent for the terminal. It speaks to providers through packages of the AI SDK."""

import json
from typing import Any

from gateway.client_recipes.recipe import Dialect, File, Recipe

#: The facts about a model that is not in opencode's own list. Without them, opencode sends no images.
_FACTS: dict[str, Any] = {
    "attachment": True,
    "reasoning": True,
    "tool_call": True,
    "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
    "limit": {"context": 200_000, "output": 32_000},
}


def _config(package: str, base_url: str) -> str:
    provider: dict[str, Any] = {
        "npm": package,
        "name": "Gateway",
        "options": {"baseURL": base_url, "apiKey": "{key}"},
        "models": {name: {"name": name, **_FACTS} for name in ("{model}", "{small_model}")},
    }
    config = {
        "$schema": "https://opencode.ai/config.json",
        "model": "gateway/{model}",
        "small_model": "gateway/{small_model}",
        "provider": {"gateway": provider},
    }
    return json.dumps(config, indent=2) + "\n"


def _recipe(name: str, package: str, dialect: Dialect) -> Recipe:
    return Recipe(
        name=name,
        title="opencode",
        dialect=dialect,
        intro=f"Add the gateway as a provider that uses `{package}`.",
        files=(File("~/.config/opencode/opencode.json", _config(package, "{base_url}")),),
        command="opencode",
    )


OPENCODE = _recipe("opencode", "@ai-sdk/openai-compatible", "chat")
OPENCODE_OPENAI = _recipe("opencode-openai", "@ai-sdk/openai", "responses")
OPENCODE_ANTHROPIC = _recipe("opencode-anthropic", "@ai-sdk/anthropic", "messages")

RECIPES = (OPENCODE, OPENCODE_OPENAI, OPENCODE_ANTHROPIC)
