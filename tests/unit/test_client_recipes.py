"""Recipes of clients: complete, and filled without a placeholder left."""

import json
from dataclasses import astuple

import pytest

from gateway.client_recipes.catalog import BY_NAME, RECIPES
from gateway.client_recipes.recipe import Recipe, Values, fill_recipe
from gateway.client_recipes.show import by_title, to_markdown, to_text
from scripts import write_clients_docs

VALUES = Values("https://gateway.example", "sk-test", "sonnet", "haiku")


def test_each_recipe_has_its_own_name() -> None:
    assert len(BY_NAME) == len(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_filled_recipe_names_the_gateway_and_has_no_placeholders(recipe: Recipe) -> None:
    shown = json.dumps(astuple(fill_recipe(recipe, VALUES)))
    assert "https://gateway.example" in shown
    assert "sk-test" in shown
    assert not any(f"{{{name}}}" in shown for name in ("address", "base_url", "key", "model", "small_model"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_text_and_markdown_show_everything_to_enter(recipe: Recipe) -> None:
    filled = fill_recipe(recipe, VALUES)
    entered = [
        filled.code.strip(),
        filled.setup,
        filled.command,
        *filled.fields.values(),
        *filled.environment,
    ]
    for shown in (to_text(filled), to_markdown(filled)):
        assert all(value in shown for value in (*entered, *(file.content.strip() for file in filled.files)))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_json_files_are_valid(recipe: Recipe) -> None:
    for file in fill_recipe(recipe, VALUES).files:
        assert not file.path.endswith(".json") or json.loads(file.content)


def test_clients_page_is_generated_from_the_recipes() -> None:
    written = write_clients_docs.PAGE.read_text("utf-8")
    assert written == write_clients_docs.page(written), "run: python scripts/write_clients_docs.py"


def test_modes_of_a_client_are_neighbors() -> None:
    titles = [title for title, _ in by_title(RECIPES)]
    assert len(set(titles)) == len(titles)
