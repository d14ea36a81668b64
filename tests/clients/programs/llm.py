"""llm, with functions of the user's as its tools."""

from gateway.client_recipes.llm import LLM
from tests.clients.client import Client, Desk
from tests.clients.installs import pypi_program, pypi_version

TOOLS = '''\
import subprocess
from pathlib import Path


def read_file(path: str) -> str:
    """Read a file."""
    return Path(path).read_text()


def edit_file(path: str, old: str, new: str) -> str:
    """Replace a text in a file."""
    Path(path).write_text(Path(path).read_text().replace(old, new))
    return "The file has changed."


def run_command(command: str) -> str:
    """Run a command. Return its output, also if it fails."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    return f"{done.stdout}{done.stderr}exit code {done.returncode}"
'''


def write_tools(desk: Desk) -> None:
    """Write the functions that the command line names."""
    desk.write("tools.py", TOOLS)


ASK = ("-m", "gateway", "--functions", "tools.py", "--chain-limit", "0")

CLIENTS = [
    Client(
        recipe=LLM,
        version=pypi_version("llm", "llm"),
        program=lambda: pypi_program("llm", "llm"),
        prepare=write_tools,
        ask=(*ASK, "{prompt}"),
        resume=(*ASK, "--continue", "{prompt}"),
        image=(*ASK, "-a", "{image}", "{prompt}"),
    )
]
