"""Show a filled recipe: as blocks to copy, as text for a terminal, and as Markdown for the documentation.

>>> from gateway.client_recipes.recipe import Recipe
>>> recipe = Recipe("x", "X", "chat", environment={"OPENAI_BASE_URL": "http://localhost:8000/v1"})
>>> print(to_text(recipe), end="")
X (x)
<BLANKLINE>
Set in the environment:
<BLANKLINE>
export OPENAI_BASE_URL=http://localhost:8000/v1
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from textwrap import fill

from gateway.client_recipes.recipe import Recipe

LINE_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A text to copy. `label` says where it goes, and `language` names its syntax, "" for plain text."""

    label: str
    text: str
    language: str = ""


def blocks_of(recipe: Recipe) -> tuple[Block, ...]:
    """Return the texts to copy in the order of use. The fields of a form are not among them."""
    blocks = [
        Block(f"Write to `{file.path}`:", file.content, PurePosixPath(file.path).suffix[1:])
        for file in recipe.files
    ]
    if recipe.environment:
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in recipe.environment.items())
        blocks.append(Block("Set in the environment:", "".join(lines), "sh"))
    if recipe.code:
        blocks.append(Block("Use it like this:", recipe.code, recipe.language))
    if recipe.setup:
        blocks.append(Block("Run once:", f"{recipe.setup}\n", "sh"))
    if recipe.command:
        blocks.append(Block("Start it:", f"{recipe.command}\n", "sh"))
    return tuple(blocks)


def to_text(recipe: Recipe) -> str:
    """Return a recipe as text for a terminal, without indentation, so that it can be copied."""
    width = max(map(len, recipe.fields), default=0) + 2
    fields = "".join(f"{name + ':':<{width}}{value}\n" for name, value in recipe.fields.items())
    blocks = [*([Block("Enter:", fields)] if fields else []), *blocks_of(recipe)]
    parts = [
        f"{recipe.title} ({recipe.name})\n",
        recipe.intro and f"{recipe.intro}\n",
        *(part for block in blocks for part in (f"{block.label.replace('`', '')}\n", block.text)),
        recipe.notes and f"{recipe.notes}\n",
    ]
    return "\n".join(filter(None, parts))


def to_markdown(recipe: Recipe) -> str:
    """Return what to enter or write, without a heading."""
    rows = "".join(f"| {name} | `{value}` |\n" for name, value in recipe.fields.items())
    parts = [
        recipe.intro and f"{wrap(recipe.intro)}\n",
        rows and f"| field | value |\n| --- | --- |\n{rows}",
        *(
            f"{block.label}\n\n```{block.language}\n{block.text.rstrip()}\n```\n"
            for block in blocks_of(recipe)
        ),
        recipe.notes and f"{recipe.notes}\n",
    ]
    return "\n".join(filter(None, parts))


def wrap(text: str) -> str:
    """Break a paragraph into the lines of a page."""
    return fill(text, LINE_LENGTH, break_long_words=False, break_on_hyphens=False)


def by_title(recipes: Iterable[Recipe]) -> Iterator[tuple[str, list[Recipe]]]:
    """Yield each client's title with its recipes, which have to be neighbors."""
    for title, modes in groupby(recipes, lambda recipe: recipe.title):
        yield title, list(modes)
