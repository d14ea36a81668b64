"""All recipes, in the order of the clients page."""

from gateway.client_recipes import (
    aider,
    claude_code,
    cline,
    codex,
    continue_dev,
    editors,
    kilo,
    llm,
    node_sdks,
    opencode,
    pi,
    python_sdks,
    qwen,
)
from gateway.client_recipes.recipe import Recipe

RECIPES: tuple[Recipe, ...] = (
    *claude_code.RECIPES,
    *codex.RECIPES,
    *opencode.RECIPES,
    *cline.RECIPES,
    *continue_dev.RECIPES,
    *kilo.RECIPES,
    *pi.RECIPES,
    *qwen.RECIPES,
    *aider.RECIPES,
    *llm.RECIPES,
    *editors.RECIPES,
    *node_sdks.RECIPES,
    *python_sdks.RECIPES,
)
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
