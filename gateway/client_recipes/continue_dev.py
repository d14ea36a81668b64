"""Continue, an assistant for editors and the terminal, which share one file of settings."""

from gateway.client_recipes.recipe import Dialect, File, Recipe

_CONFIG = """\
name: Gateway
version: 1.0.0
schema: v1
models:
  - name: Claude
    provider: {provider}
    model: "{model}"
    apiBase: {base_url}
    apiKey: "{key}"
    roles: [chat, edit, apply]
"""


def _recipe(name: str, provider: str, dialect: Dialect) -> Recipe:
    return Recipe(
        name=name,
        title="Continue",
        dialect=dialect,
        intro=f"Add a model of the provider `{provider}`.",
        files=(File("~/.continue/config.yaml", _CONFIG.replace("{provider}", provider)),),
        command="cn",
    )


CONTINUE = _recipe("continue", "openai", "chat")
CONTINUE_ANTHROPIC = _recipe("continue-anthropic", "anthropic", "messages")

RECIPES = (CONTINUE, CONTINUE_ANTHROPIC)
