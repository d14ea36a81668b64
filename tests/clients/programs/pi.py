"""pi in each of the three dialects. It needs Node 22."""

from gateway.client_recipes.pi import RECIPES
from tests.clients.client import Client
from tests.clients.installs import npm_program, npm_version

PRINT = ("--provider", "gateway", "--model", "sonnet", "-p")

CLIENTS = [
    Client(
        recipe=recipe,
        version=npm_version("pi", "@earendil-works/pi-coding-agent"),
        program=lambda: npm_program("pi", "pi", node="node22"),
        ask=(*PRINT, "{prompt}"),
        resume=(*PRINT, "--continue", "{prompt}"),
        image=(*PRINT, "@{image}", "{prompt}"),
    )
    for recipe in RECIPES
]
