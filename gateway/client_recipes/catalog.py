"""All recipes, in the order of the clients page."""

from gateway.client_recipes import aider, claude_code, codex, editors, llm, opencode, python_sdks
from gateway.client_recipes.recipe import Recipe

RECIPES: tuple[Recipe, ...] = (
    *claude_code.RECIPES,
    *codex.RECIPES,
    *opencode.RECIPES,
    *aider.RECIPES,
    *llm.RECIPES,
    *editors.RECIPES,
    *python_sdks.RECIPES,
)
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
