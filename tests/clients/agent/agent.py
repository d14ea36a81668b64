"""The agent: a model that does a job step by step, as far as the history of each request shows.

standin.default(Agent(Job("Fix a.py", steps=[[Read("a.py")], [Edit("a.py", "x = 1", "x = 2")]], final="Fixed.")))
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.clients.agent.actions import Action, NoTool, Use, call_for
from tests.standin import Reply, output, text, thinking, tool_calls
from tests.standin.prompt import Body, texts

#: The answer to calls that a client makes beside the conversation: titles, summaries, tags.
SIDE_ANSWER = "Greeting"


@dataclass(frozen=True)
class Job:
    """A task for the agent.

    `marker` is a part of the user's prompt by which the agent recognizes its own conversation. `steps` are rounds, each
    with the actions that are called at once. `final` ends the job. `thought` makes the agent think in every round.
    `known` has patterns by name: arguments of `Use` may contain `{NAME}` for the newest match in the tools' results.
    """

    marker: str
    steps: Sequence[Sequence[Action]] = ()
    final: str = "Done."
    thought: str = ""
    delay: float = 0.0
    says: str = ""
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Agent:
    """A callable answer for the stand-in. `seen` has the requests of the job, `asides` all others.

    A request without tools is not of the job, for example one for a title, unless `has_tools` is false: the client has
    no tools then.
    """

    job: Job
    workspace: str
    has_tools: bool = True
    seen: list[Body] = field(default_factory=list)
    asides: list[Body] = field(default_factory=list)

    def __call__(self, body: Body) -> Reply:
        step = self.step_of(body)
        if step is None:
            self.asides.append(body)
            return aside(body)
        self.seen.append(body)
        reply = self._reply(step, body)
        return thinking(self.job.thought, reply) if self.job.thought else reply

    def step_of(self, body: Body) -> int | None:
        """Return the number of rounds since the newest prompt with the marker, or None if there is no such prompt."""
        messages = body["messages"]
        marked = [index for index, message in enumerate(messages) if self._is_prompt(message)]
        if not marked or wants_output(body) or (self.has_tools and not body.get("tools")):
            return None
        since = messages[marked[-1] :]
        if any(self._ends_job(message) for message in since):
            return None
        return sum(calls_tools(message) for message in since)

    def _ends_job(self, message: Body) -> bool:
        """Return whether the job is over. Some clients then ask for suggestions or memories with the same tools."""
        return message["role"] == "assistant" and any(
            self.job.final in part for part in texts(message["content"])
        )

    def _is_prompt(self, message: Body) -> bool:
        return message["role"] == "user" and any(self.job.marker in part for part in prompt_texts(message))

    def _reply(self, step: int, body: Body) -> Reply:
        tools = body.get("tools", ())
        if step >= len(self.job.steps) or not tools:
            return replace(text(self.job.final), delay=self.job.delay)
        steps = [self._complete(action, body) for action in self.job.steps[step]]
        try:
            calls = [call_for(action, tools, self.workspace) for action in steps]
        except NoTool as problem:
            return text(f"NO TOOL: {problem}")
        return tool_calls(calls, text=self.job.says)

    def _complete(self, action: Action, body: Body) -> Action:
        if not isinstance(action, Use) or not self.job.known:
            return action
        results = "".join(part for message in body["messages"] for part in texts(message["content"]))
        written = json.dumps(action.arguments)
        for name, pattern in self.job.known.items():
            found = re.findall(pattern, results)
            written = written.replace(f"{{{name}}}", found[-1] if found else "")
        return Use(action.name, json.loads(written))


def prompt_texts(message: Body) -> list[str]:
    """Return the texts of a message that are not in tool results."""
    content = message["content"]
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return list(texts([block for block in blocks if block.get("type") != "tool_result"]))


def calls_tools(message: Body) -> bool:
    """Return whether it is a message of the model with tool calls."""
    content = message["content"]
    blocks: Sequence[Any] = content if isinstance(content, list) else ()
    return message["role"] == "assistant" and any(block["type"] == "tool_use" for block in blocks)


def wants_output(body: Body) -> bool:
    """Return whether the request asks for structured output, in the API's way or the CLI's."""
    names = {tool["name"] for tool in body.get("tools", ())}
    return "format" in body.get("output_config", {}) or "StructuredOutput" in names


def aside(body: Body) -> Reply:
    """Answer a call beside the conversation."""
    return output()(body) if wants_output(body) else text(SIDE_ANSWER)
