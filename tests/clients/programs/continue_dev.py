"""Continue's command line, `cn`."""

from gateway.client_recipes.continue_dev import RECIPES
from tests.clients.client import Client
from tests.clients.installs import npm_program, npm_version

CLIENTS = [
    Client(
        recipe=recipe,
        version=npm_version("continue", "@continuedev/cli"),
        program=lambda: npm_program("continue", "cn"),
        ask=("-p", "{prompt}", "--auto"),
        resume=("-p", "{prompt}", "--auto", "--resume"),
        exceptions={"image": "Continue attaches images only in its editors and in its interactive terminal."},
    )
    for recipe in RECIPES
]
