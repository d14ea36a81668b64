"""Cline's program for the terminal. The form of its extension for VS Code is in `editors`."""

from gateway.client_recipes.recipe import Recipe

CLINE = Recipe(
    name="cline",
    title="Cline",
    dialect="chat",
    intro="Select the provider for compatible APIs, which is named `openai` here.",
    setup="cline auth --provider openai --baseurl {base_url} --apikey {key} --modelid {model}",
    command="cline",
)

RECIPES = (CLINE,)
