"""Codex, OpenAI's coding agent for the terminal."""

from gateway.client_recipes.recipe import File, Recipe

_CONFIG = """\
model = "{model}"
model_provider = "gateway"

[model_providers.gateway]
name = "Gateway"
base_url = "{base_url}"
model_catalog_url = "{base_url}/models"
env_key = "GATEWAY_API_KEY"
wire_api = "responses"
"""

CODEX = Recipe(
    name="codex",
    title="Codex CLI",
    dialect="responses",
    intro="Name the gateway as a model provider.",
    environment={"GATEWAY_API_KEY": "{key}"},
    files=(File("~/.codex/config.toml", _CONFIG),),
    command="codex",
    notes="`model_catalog_url` lets Codex 0.159 and newer know the models: their context windows, efforts and the tool "
    "`apply_patch`. To keep the provider and the models that are built into Codex, write only "
    '`openai_base_url = "{base_url}"`, log in with `codex login --with-api-key`, and let the gateway map the models: '
    "`MODEL_PATTERNS=gpt-*=sonnet`.",
)

RECIPES = (CODEX,)
