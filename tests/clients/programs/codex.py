"""Codex CLI."""

from gateway.client_recipes.codex import CODEX
from tests.clients.client import Client
from tests.clients.installs import npm_program, npm_version

#: The sandbox of Codex needs kernel features that containers often lack, so it is off.
EXEC = ("exec", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check")

CLIENTS = [
    Client(
        recipe=CODEX,
        version=npm_version("codex", "@openai/codex"),
        program=lambda: npm_program("codex", "codex"),
        ask=(*EXEC, "{prompt}"),
        resume=(*EXEC, "resume", "--last", "{prompt}"),
        image=(*EXEC, "-i", "{image}", "--", "{prompt}"),
    )
]
