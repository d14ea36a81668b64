"""Codex, OpenAI's coding agent for the terminal."""

from gateway.client_recipes.recipe import File, Recipe

_CONFIG = """\
model = "{model}"
model_provider = "gateway"

[model_providers.gateway]
name = "Gateway"
base_url = "{base_url}"
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
)

RECIPES = (CODEX,)
