"""opencode, a coding agent for the terminal. It speaks to providers through packages of the AI SDK."""

import json
from typing import Any

from gateway.client_recipes.recipe import Dialect, File, Recipe


def _config(package: str, base_url: str) -> str:
    provider: dict[str, Any] = {
        "npm": package,
        "name": "Gateway",
        "options": {"baseURL": base_url, "apiKey": "{key}"},
        "models": {"{model}": {"name": "{model}"}, "{small_model}": {"name": "{small_model}"}},
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
