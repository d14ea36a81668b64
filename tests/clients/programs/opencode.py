"""opencode with each of the three packages by which it can speak to the gateway."""

from gateway.client_recipes.opencode import RECIPES
from tests.clients.client import Client
from tests.clients.installs import npm_program, npm_version

CLIENTS = [
    Client(
        recipe=recipe,
        version=npm_version("opencode", "opencode-ai"),
        program=lambda: npm_program("opencode", "opencode"),
        environ={"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
        ask=("run", "{prompt}"),
        resume=("run", "--continue", "{prompt}"),
        image=("run", "{prompt}", "--file", "{image}"),
    )
    for recipe in RECIPES
]
