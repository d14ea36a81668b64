"""aider, which edits files from the text of answers and commits each change."""

from gateway.client_recipes.recipe import Recipe

AIDER = Recipe(
    name="aider",
    title="aider",
    dialect="chat",
    environment={"OPENAI_API_BASE": "{base_url}", "OPENAI_API_KEY": "{key}"},
    command="aider --model openai/{model} --weak-model openai/{small_model}",
)

RECIPES = (AIDER,)
