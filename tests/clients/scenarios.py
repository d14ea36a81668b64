"""The scenarios that every client is run through, each a function of a `Trial`.

A scenario gives the scripted agent a job, runs the client, and looks at the workspace, at the client's output and at
the requests that reached the model.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.clients.agent.actions import Action, Edit, Read, Run
from tests.clients.agent.agent import Agent, Job
from tests.clients.client import ASK_SECONDS, Desk, signal_group
from tests.standin import Recorded, StandIn
from tests.standin.prompt import Body, texts
from tests.support.pictures import screenshot

FILE = "greeting.py"
OLD_LINE = 'print("Hello, world")'
NEW_LINE = 'print("Hello, Ada")'
#: The part of the lines that tool results in JSON leave unescaped.
OLD_TEXT, NEW_TEXT = "Hello, world", "Hello, Ada"
TASK = "Please make greeting.py greet Ada."
FINAL = "The greeting is done, and it greets Ada 🌍."
THOUGHT = "The file has one line, so one edit is enough."
CANCEL_SECONDS = 60


@dataclass(frozen=True)
class Trial:
    """A client at its desk, and the stand-in that plays the model."""

    desk: Desk
    standin: StandIn

    def agent(self, steps: Sequence[Sequence[Action]] = (), marker: str = TASK, **job: Any) -> Agent:
        """Make the model an agent with this job."""
        task = Job(marker, steps, job.pop("final", FINAL), **job)
        agent = Agent(task, str(self.desk.workspace), self.desk.client.has_tools)
        self.standin.default(agent)
        return agent


Scenario = Callable[[Trial], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Register a scenario by the name of its function."""
    SCENARIOS[function.__name__] = function
    return function


@scenario
def text(trial: Trial) -> None:
    """A prompt, an answer."""
    agent = trial.agent()
    assert FINAL in trial.desk.ask(TASK).out
    assert len(agent.seen) == 1


@scenario
def rounds(trial: Trial) -> None:
    """Three rounds of tools: read a file, edit it, run it."""
    agent = trial.agent([[Read(FILE)], [Edit(FILE, OLD_LINE, NEW_LINE)], [Run(f"cat {FILE} && echo it-ran")]])
    assert FINAL in trial.desk.ask(TASK).out
    assert (trial.desk.workspace / FILE).read_text("utf-8") == f"{NEW_LINE}\n"
    read, _, ran = results_of(agent, 3)
    assert OLD_TEXT in read
    assert NEW_TEXT in ran
    assert "it-ran" in ran


@scenario
def parallel(trial: Trial) -> None:
    """Two calls in one answer."""
    trial.desk.write("other.py", "OTHER = 1\n")
    agent = trial.agent([[Read(FILE), Read("other.py")]], says="I look at both.")
    assert FINAL in trial.desk.ask(TASK).out
    first, second = results_of(agent, 2, rounds=1)
    assert OLD_TEXT in first
    assert "OTHER = 1" in second


@scenario
def failing_tool(trial: Trial) -> None:
    """A call that fails. The agent goes on."""
    agent = trial.agent(
        [[Run("cat missing.txt; echo now-it-fails; echo now-it-fails >&2; exit 3")], [Run("echo recovered")]]
    )
    assert FINAL in trial.desk.ask(TASK).out
    failed, recovered = results_of(agent, 2)
    assert "now-it-fails" in failed
    assert "recovered" in recovered


@scenario
def resume(trial: Trial) -> None:
    """A session that ends with tool calls, and is resumed in another process."""
    trial.agent([[Read(FILE)]])
    trial.desk.ask(TASK)
    later = "And now tell me about it."
    agent = trial.agent([[Run("echo again")]], marker=later, final="It greets Ada again.")
    assert "It greets Ada again." in trial.desk.resume(later).out
    history = agent.seen[-1]["messages"]
    spoken = [part for message in history for part in texts(message["content"])]
    assert any(TASK in part for part in spoken)
    assert any(OLD_TEXT in part for part in spoken) or not trial.desk.client.has_tools
    assert any(FINAL in part for part in spoken)


@scenario
def cancel(trial: Trial) -> None:
    """A client that is interrupted in the middle of an answer. The model is stopped, and the next prompt works."""
    trial.agent(final="word " * 1000, delay=0.1)
    process = trial.desk.start(trial.desk.client.ask, prompt=TASK)
    try:
        record = trial.standin.wait_for(lambda: running(trial.standin), ASK_SECONDS)
        assert record is not None
        signal_group(process, signal.SIGINT)
        trial.standin.wait_for(lambda: record.aborted, CANCEL_SECONDS)
    finally:
        signal_group(process, signal.SIGINT)
        trial.desk.end_of(process)
    trial.agent()
    assert FINAL in trial.desk.ask(TASK).out


@scenario
def image(trial: Trial) -> None:
    """A picture beside the prompt."""
    picture = trial.desk.workspace / "picture.png"
    picture.write_bytes(screenshot(64, 48))
    agent = trial.agent()
    assert FINAL in trial.desk.ask_about(picture, TASK).out
    assert "image" in {block["type"] for block in all_blocks(agent.seen[-1])}


@scenario
def long(trial: Trial) -> None:
    """A prompt of 90,000 characters, and ten rounds with 5,000 characters each."""
    command = "head -c 5000 /dev/zero | tr '\\0' 'x'"
    agent = trial.agent([[Run(f"{command}; echo round-{number}")] for number in range(10)])
    prompt = TASK + " Mind these lines:\n" + "".join(f"{number:08} " for number in range(10_000)) + "end"
    assert FINAL in trial.desk.ask(prompt).out
    assert any(prompt in part for message in agent.seen[-1]["messages"] for part in texts(message["content"]))
    for number, result in enumerate(results_of(agent, 10)):
        assert f"round-{number}" in result


@scenario
def reasoning(trial: Trial) -> None:
    """A model that thinks in every round."""
    agent = trial.agent([[Read(FILE)], [Run("echo thought-about")]], thought=THOUGHT)
    output = trial.desk.ask(TASK)
    assert FINAL in output.out
    assert len(agent.seen) == 3
    if trial.desk.client.shows_thoughts:
        assert THOUGHT in output.out + output.err


def running(standin: StandIn) -> Recorded | None:
    """Return the request whose answer is being streamed, if there is one."""
    return next((record for record in standin.messages if record.deltas > 5), None)


def results_of(agent: Agent, count: int, rounds: int | None = None) -> list[str]:
    """Return the texts of all tool results in the agent's last request, in `rounds` rounds of one call each."""
    assert len(agent.seen) == (count if rounds is None else rounds) + 1
    found = [block for block in all_blocks(agent.seen[-1]) if block["type"] == "tool_result"]
    assert len(found) == count
    return ["".join(texts(block.get("content", ""))) for block in found]


def all_blocks(body: Body) -> list[Body]:
    """Return the content blocks of all messages, also inside tool results."""
    contents = [message["content"] for message in body["messages"]]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    inner = [block.get("content") for block in blocks if block["type"] == "tool_result"]
    return blocks + [block for content in inner if isinstance(content, list) for block in content]
