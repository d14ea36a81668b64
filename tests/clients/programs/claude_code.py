"""Claude Code as a client: the same binary that the gateway runs, with a home of its own."""

from gateway.claude.cli.binary import TESTED, find_binary, format_version
from gateway.client_recipes.claude_code import CLAUDE_CODE
from tests.clients.client import Client

# Without a terminal, calls cannot be allowed one by one.
ALLOWED = "--allowedTools=Bash,Read,Edit,Write,Agent"

CLIENT = Client(
    recipe=CLAUDE_CODE,
    version=format_version(TESTED),
    program=lambda: [find_binary(None).path],
    environ={"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    ask=("-p", "{prompt}", ALLOWED),
    resume=("--continue", "-p", "{prompt}", ALLOWED),
    image=("-p", "{prompt} @{image}", ALLOWED),
)
CLIENTS = [CLIENT]
