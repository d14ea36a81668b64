"""Kilo Code's command line."""

from gateway.client_recipes.kilo import KILO
from tests.clients.client import Client
from tests.clients.installs import npm_program, npm_version

CLIENTS = [
    Client(
        recipe=KILO,
        version=npm_version("kilo", "@kilocode/cli"),
        program=lambda: npm_program("kilo", "kilo"),
        ask=("run", "--auto", "{prompt}"),
        resume=("run", "--auto", "--continue", "{prompt}"),
        image=("run", "--auto", "{prompt}", "--file", "{image}"),
    )
]
