"""Clients with a settings page: editors, their extensions, and chat front ends."""

from gateway.client_recipes.recipe import Recipe

_REPLAYED = "The tests send requests in the form of this client (`tests/model/test_client_bodies.py`)."
_OPENAI_FIELDS = {"Base URL": "{base_url}", "API Key": "{key}", "Model ID": "{model}"}

CURSOR = Recipe(
    name="cursor",
    title="Cursor",
    dialect="chat",
    intro="Open *Settings → Models*, turn on *Override OpenAI Base URL*, and add the model by its name.",
    fields={"OpenAI API Key": "{key}", "Override OpenAI Base URL": "{base_url}", "Add model": "{model}"},
    notes="Cursor calls the model from its own servers, so the address must be public and use https.",
    tested=_REPLAYED,
)
CLINE = Recipe(
    name="cline-vscode",
    title="Cline for VS Code",
    dialect="chat",
    intro="Open Cline's settings, and choose *OpenAI Compatible* as the API provider.",
    fields=_OPENAI_FIELDS,
    tested=_REPLAYED,
)
ROO_CODE = Recipe(
    name="roo-code",
    title="Roo Code",
    dialect="chat",
    intro="Open Roo's settings, and choose *OpenAI Compatible* as the API provider.",
    fields={"Base URL": "{base_url}", "API Key": "{key}", "Model": "{model}"},
    tested=_REPLAYED,
)
OPEN_WEBUI = Recipe(
    name="open-webui",
    title="Open WebUI",
    dialect="chat",
    intro="Open *Admin Settings → Connections → OpenAI API*, and add a connection. The models appear in the menu.",
    fields={"URL": "{base_url}", "Key": "{key}"},
    notes="Open WebUI asks for a title, tags and follow-up questions after each chat. Choose a cheap task model, "
    "such as `{small_model}`, under *Admin Settings → Interface*.",
    tested="`make test-clients` runs its backend through chats, tools, images, a cancel and its own small tasks "
    "(`tests/clients/test_open_webui.py`).",
)

RECIPES = (CURSOR, CLINE, ROO_CODE, OPEN_WEBUI)
