"""Agent projects of a gateway, and what the tools of an agent have returned."""

import json
from typing import Any

from tests.standin import Recorded
from tests.support.gateway import Gateway
from tests.support.recorded import Body

#: The tools that the operator allows in the tests.
TOOLS = ("Bash", "Glob", "Grep", "Read", "Write")


def create_agent_project(
    gateway: Gateway, path: str, files: dict[str, str] | None = None, **policy: Any
) -> str:
    """Create an agent project with files in the folder `path`, and return its id."""
    body = {"name": path, "path": path, "policy": {"mode": "agent", "tools": ["Read"], **policy}}
    project: str = gateway.api.create_project(**body)["id"]
    for name, content in (files or {}).items():
        gateway.api.upload_file(project, name, content)
    return project


def tool_results(record: Recorded) -> list[tuple[bool, str]]:
    """Return, for each tool result that reached the model, whether it is an error, and its text."""
    found: list[Body] = []
    for message in record.body["messages"]:
        blocks = message["content"] if isinstance(message["content"], list) else []
        found += [block for block in blocks if block["type"] == "tool_result"]
    return [(bool(block.get("is_error")), json.dumps(block["content"])) for block in found]
