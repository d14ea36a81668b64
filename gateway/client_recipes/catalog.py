"""All recipes, in the order of the clients page."""

from gateway.client_recipes import codex, opencode
from gateway.client_recipes.recipe import Recipe

RECIPES: tuple[Recipe, ...] = (*codex.RECIPES, *opencode.RECIPES)
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
