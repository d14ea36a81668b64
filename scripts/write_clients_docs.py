"""Write the sections of `docs/clients.md` from the recipes in `gateway/client_recipes` and the tests that run clients.

Run it after every change of a recipe or of a pinned version: python scripts/write_clients_docs.py
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gateway.client_recipes.catalog import RECIPES  # noqa: E402  the project is not installed
from gateway.client_recipes.recipe import PATHS, Recipe, Values, fill_recipe  # noqa: E402
from gateway.client_recipes.show import by_title, to_markdown, wrap  # noqa: E402
from tests.clients.catalog import all_clients  # noqa: E402
from tests.clients.client import Client  # noqa: E402
from tests.clients.scenarios import SCENARIOS  # noqa: E402

PAGE = ROOT / "docs" / "clients.md"
VALUES = Values("http://HOST:8000", "YOUR_KEY", "sonnet", "haiku")
START, END = "<!-- Written by scripts/write_clients_docs.py -->\n", "<!-- End of the written part -->\n"


def page(text: str) -> str:
    """Return the text of `docs/clients.md` with the written part replaced."""
    clients = {client.name: client for client in all_clients()}
    sections = [_section(title, modes, clients) for title, modes in by_title(RECIPES)]
    written = START + "\n" + _overview() + "\n" + "\n".join(sections) + "\n" + END
    return re.sub(re.escape(START) + ".*" + re.escape(END), lambda _: written, text, flags=re.S)


def _overview() -> str:
    rows = [f"| [{title}](#{_anchor(title)}) | {_names(modes)} |\n" for title, modes in by_title(RECIPES)]
    return "| client | `gateway connect` |\n| --- | --- |\n" + "".join(rows)


def _names(modes: Iterable[Recipe]) -> str:
    return ", ".join(f"`{recipe.name}`" for recipe in modes)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _section(title: str, modes: list[Recipe], clients: dict[str, Client]) -> str:
    parts = [f"## {title}\n"]
    for recipe in modes:
        if len(modes) > 1:
            parts.append(f"### {title} with `{PATHS[recipe.dialect]}`\n")
        parts.append(to_markdown(fill_recipe(recipe, VALUES)))
        client = clients.get(recipe.name)
        parts.append(_run_of(client) if client else recipe.tested + "\n")
    return "\n".join(parts)


def _run_of(client: Client) -> str:
    """Say which scenarios `make test-clients` runs, and why not the others."""
    left_out = {**client.exceptions, **client.known_failures}
    run = ", ".join(name.replace("_", " ") for name in SCENARIOS if name not in left_out)
    reasons = "".join(f"\n- Not {name.replace('_', ' ')}: {reason}" for name, reason in left_out.items())
    tested = f"`make test-clients` runs version {client.version} on `{PATHS[client.recipe.dialect]}`: {run}."
    return f"{wrap(tested)}\n{reasons}\n" if reasons else f"{wrap(tested)}\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
