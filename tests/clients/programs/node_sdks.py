"""SDKs for Node 22. A script of `sdks/` is an agent, and the recipe's code is the module that it imports."""

import shutil
from functools import partial
from pathlib import Path

from gateway.client_recipes import node_sdks
from gateway.client_recipes.recipe import Recipe, fill
from tests.clients.client import Client, Desk
from tests.clients.installs import node_modules_of, node_of, npm_version

SCRIPTS = Path(__file__).parent / "sdks"
AGENT = "../home/agent.mjs"


def prepare(desk: Desk, script: str, pins: str) -> None:
    """Put the agent, its module for the gateway and the packages into the scratch home."""
    shutil.copy(SCRIPTS / "job.mjs", desk.home)
    shutil.copy(SCRIPTS / f"{script}.mjs", desk.home / "agent.mjs")
    desk.write("~/gateway.mjs", fill(desk.client.recipe.code, desk.values))
    (desk.home / "node_modules").symlink_to(node_modules_of(pins))


def agent(
    recipe: Recipe, script: str, package: str, pins: str = "node_sdks", *, thoughts: bool = True
) -> Client:
    """Return the agent of a script. `thoughts` says that the SDK reports reasoning in this dialect."""
    return Client(
        recipe=recipe,
        version=npm_version(pins, package),
        program=lambda: [node_of("node22")],
        ask=(AGENT, "ask", "{prompt}"),
        resume=(AGENT, "resume", "{prompt}"),
        image=(AGENT, "image", "{image}", "{prompt}"),
        prepare=partial(prepare, script=script, pins=pins),
        shows_thoughts=thoughts,
    )


CLIENTS = [
    agent(node_sdks.OPENAI, "openai_chat", "openai", thoughts=False),
    agent(node_sdks.OPENAI_RESPONSES, "openai_responses", "openai"),
    *(
        # The packages for OpenAI and Anthropic ask for reasoning only if an option says so.
        agent(recipe, "ai_sdk", "ai", pins, thoughts=recipe is node_sdks.AI_SDK_COMPATIBLE)
        for recipe in node_sdks.AI_SDK
        for pins in ("ai_sdk6", "node_sdks")
    ),
    agent(node_sdks.AGENTS, "agents", "@openai/agents", thoughts=False),
    agent(node_sdks.ANTHROPIC, "anthropic", "@anthropic-ai/sdk"),
]
