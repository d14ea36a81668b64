"""Kilo Code, a coding agent for editors and the terminal. Its command line is configured like opencode's."""

import json

from gateway.client_recipes.recipe import File, Recipe

_CONFIG = {
    "$schema": "https://app.kilo.ai/config.json",
    "model": "gateway/{model}",
    "provider": {
        "gateway": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Gateway",
            "options": {"baseURL": "{base_url}", "apiKey": "{key}"},
            "models": {
                "{model}": {
                    "name": "{model}",
                    "attachment": True,
                    "modalities": {"input": ["text", "image"], "output": ["text"]},
                }
            },
        }
    },
}

KILO = Recipe(
    name="kilo",
    title="Kilo Code",
    dialect="chat",
    intro="Add the gateway as a provider of the command line.",
    files=(File("~/.config/kilo/kilo.json", json.dumps(_CONFIG, indent=2) + "\n"),),
    command="kilo",
)

RECIPES = (KILO,)
