"""Qwen Code, a coding agent for the terminal, which speaks either OpenAI's or Anthropic's dialect."""

import json

from gateway.client_recipes.recipe import Dialect, File, Recipe


def _recipe(name: str, protocol: str, dialect: Dialect, base_url: str) -> Recipe:
    model = {
        "id": "{model}",
        "name": "{model}",
        "baseUrl": base_url,
        "envKey": "GATEWAY_API_KEY",
        "generationConfig": {"modalities": {"image": True, "pdf": True}},
    }
    settings = {
        "modelProviders": {protocol: [model]},
        "env": {"GATEWAY_API_KEY": "{key}"},
        "security": {"auth": {"selectedType": protocol}},
        "model": {"name": "{model}"},
    }
    return Recipe(
        name=name,
        title="Qwen Code",
        dialect=dialect,
        intro=f"Add a model of the protocol `{protocol}`, and select that protocol.",
        files=(File("~/.qwen/settings.json", json.dumps(settings, indent=2) + "\n"),),
        command="qwen",
    )


QWEN = _recipe("qwen", "openai", "chat", "{base_url}")
QWEN_ANTHROPIC = _recipe("qwen-anthropic", "anthropic", "messages", "{address}")

RECIPES = (QWEN, QWEN_ANTHROPIC)
