"""pi, a coding agent for the terminal."""

import json

from gateway.client_recipes.recipe import Dialect, File, Recipe


def _recipe(name: str, api: str, dialect: Dialect, base_url: str) -> Recipe:
    provider = {
        "baseUrl": base_url,
        "api": api,
        "apiKey": "{key}",
        "models": [{"id": "{model}", "reasoning": True, "input": ["text", "image"]}],
    }
    models = {"providers": {"gateway": provider}}
    return Recipe(
        name=name,
        title="pi",
        dialect=dialect,
        intro=f"Add the gateway as a provider with the API `{api}`.",
        files=(File("~/.pi/agent/models.json", json.dumps(models, indent=2) + "\n"),),
        command="pi --provider gateway --model {model}",
    )


PI = _recipe("pi", "openai-completions", "chat", "{base_url}")
PI_RESPONSES = _recipe("pi-responses", "openai-responses", "responses", "{base_url}")
PI_ANTHROPIC = _recipe("pi-anthropic", "anthropic-messages", "messages", "{address}")

RECIPES = (PI, PI_RESPONSES, PI_ANTHROPIC)
