"""A recipe says what to enter or write where, so that a client uses the gateway.

Texts have placeholders, which `fill` replaces: `{address}` is the gateway's address without a path, `{base_url}` the
same with `/v1`, `{key}` an API key, `{model}` a model, and `{small_model}` one for titles and summaries.

>>> values = Values(address="http://localhost:8000", key="sk-1", model="sonnet", small_model="haiku")
>>> fill("OPENAI_BASE_URL={base_url}", values)
'OPENAI_BASE_URL=http://localhost:8000/v1'
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Dialect = Literal["chat", "responses", "messages", "completions"]

#: The endpoint of each dialect.
PATHS: dict[Dialect, str] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "completions": "/v1/completions",
}


@dataclass(frozen=True, slots=True)
class Values:
    """The values for the placeholders of recipes."""

    address: str
    key: str
    model: str
    small_model: str


@dataclass(frozen=True, slots=True)
class File:
    """A file to write. A path that begins with `~/` is in the user's home, any other one in the project's folder."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """The configuration of one client in one of its modes.

    `name` is its name on the command line, such as `codex`; `title` the client's own. `intro` and `notes` are Markdown.
    `environment`, `files` and `fields` (labels of a form, in their order) are to be set; an SDK has `code`
    instead. `setup` is a command that configures the client, and `command` starts it. `tested` says how the tests cover
    a client that they cannot run.
    """

    name: str
    title: str
    dialect: Dialect
    intro: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    language: str = ""
    setup: str = ""
    command: str = ""
    notes: str = ""
    tested: str = ""


def fill(template: str, values: Values) -> str:
    """Replace the placeholders of a text. Other braces stay."""
    replacements = {
        "{address}": values.address,
        "{base_url}": f"{values.address}/v1",
        "{key}": values.key,
        "{model}": values.model,
        "{small_model}": values.small_model,
    }
    for placeholder, value in replacements.items():
        template = template.replace(placeholder, value)
    return template


def fill_recipe(recipe: Recipe, values: Values) -> Recipe:
    """Return the recipe with all placeholders replaced."""
    return replace(
        recipe,
        intro=fill(recipe.intro, values),
        environment={name: fill(value, values) for name, value in recipe.environment.items()},
        files=tuple(File(file.path, fill(file.content, values)) for file in recipe.files),
        fields={name: fill(value, values) for name, value in recipe.fields.items()},
        code=fill(recipe.code, values),
        setup=fill(recipe.setup, values),
        command=fill(recipe.command, values),
        notes=fill(recipe.notes, values),
    )
