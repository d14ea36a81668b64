"""Commands that an agent's CLI runs although no rule of the project allows them: it takes them for read-only.

Claude Code's own list: https://code.claude.com/docs/en/permissions#read-only-commands
"""

from tests.standin import StandIn, text, tool_calls
from tests.support.agents import create_agent_project, tool_results
from tests.support.gateway import Gateway
from tests.support.wide import wide

ALLOWED = (
    "ls",
    "pwd",
    "cat a.txt",
    "head -c 4 a.txt",
    "wc a.txt",
    "grep x a.txt",
    "find . -name a.txt",
    "echo x",
)
REFUSED = (
    "touch b.txt",
    "echo x > b.txt",
    "find . -name a.txt -delete",
    "rm a.txt",
    "python3 -c 1",
    "curl http://127.0.0.1:9/",
    "env",
    "ls && touch b.txt",
    "cat $(touch b.txt)",
    "cat /etc/hostname",
)


@wide
def test_read_only_commands_run_without_a_rule_and_others_do_not(agents: Gateway, standin: StandIn) -> None:
    project = create_agent_project(
        agents, "commands", {"a.txt": "x"}, tools=["Bash", "Read"], allowed_tools=["Bash(ls *)"]
    )
    calls = [("Bash", {"command": command}) for command in (*ALLOWED, *REFUSED)]
    standin.reply(tool_calls(calls), times=1)
    standin.reply(text("done"), when=lambda body: len(body["messages"]) > 2)
    assert agents.api.chat("Go", project_id=project).status_code == 200
    results = [
        has_failed for has_failed, _ in tool_results(standin.messages.last)
    ]  # the allowed ones end first
    assert results == [False] * len(ALLOWED) + [True] * len(REFUSED)
