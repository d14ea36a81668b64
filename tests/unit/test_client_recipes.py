"""Recipes of clients: complete, and filled without a placeholder left."""

import json
from dataclasses import astuple

import pytest

from gateway.client_recipes.catalog import BY_NAME, RECIPES
from gateway.client_recipes.recipe import Recipe, Values, fill_recipe

VALUES = Values("https://gateway.example", "sk-test", "sonnet", "haiku")


def test_each_recipe_has_its_own_name() -> None:
    assert len(BY_NAME) == len(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_filled_recipe_names_the_gateway_and_has_no_placeholders(recipe: Recipe) -> None:
    shown = json.dumps(astuple(fill_recipe(recipe, VALUES)))
    assert "https://gateway.example" in shown
    assert "sk-test" in shown
    assert not any(f"{{{name}}}" in shown for name in ("address", "base_url", "key", "model", "small_model"))
