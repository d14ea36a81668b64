"""llm, a command-line tool for prompts, with tools from Python functions."""

import json

from gateway.client_recipes.recipe import File, Recipe

_MODELS = """\
- model_id: gateway
  model_name: {model}
  api_base: {base_url}
  api_key_name: gateway
  vision: true
  supports_tools: true
  supports_schema: true
"""

LLM = Recipe(
    name="llm",
    title="llm",
    dialect="chat",
    intro="Add a model to [llm](https://llm.datasette.io/), and its key. On macOS the folder is "
    "`~/Library/Application Support/io.datasette.llm`.",
    files=(
        File("~/.config/io.datasette.llm/extra-openai-models.yaml", _MODELS),
        File("~/.config/io.datasette.llm/keys.json", json.dumps({"gateway": "{key}"}) + "\n"),
    ),
    command="llm -m gateway Hello",
)

RECIPES = (LLM,)
