"""aider. tests/clients/test_aider.py has it edit a file."""

from gateway.client_recipes.aider import AIDER
from tests.clients.client import Client
from tests.clients.installs import pypi_program, pypi_version

NO_TOOLS = "aider offers no tools: it edits files from the text of answers, as another test shows."
QUIET = (
    "--yes-always",
    "--no-check-update",
    "--no-show-release-notes",
    "--analytics-disable",
    "--no-detect-urls",
)
ASK = ("--model", "openai/sonnet", "--weak-model", "openai/haiku", *QUIET)

AIDER_CLIENT = Client(
    recipe=AIDER,
    version=pypi_version("aider", "aider-chat"),
    program=lambda: pypi_program("aider", "aider"),
    ask=(*ASK, "--message", "{prompt}"),
    resume=(*ASK, "--restore-chat-history", "--message", "{prompt}"),
    has_tools=False,
    exceptions={
        "rounds": NO_TOOLS,
        "parallel": NO_TOOLS,
        "failing_tool": NO_TOOLS,
        "reasoning": NO_TOOLS,
        "long": NO_TOOLS,
        "image": "aider sends images only to models in its own list.",
    },
)

CLIENTS = [AIDER_CLIENT]
