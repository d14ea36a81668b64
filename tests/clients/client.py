"""A client as a program: how it is installed, configured by its recipe, and run for each scenario."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from gateway.client_recipes.recipe import Recipe, Values, fill_recipe
from tests.clients.installs import clean_environ

ASK_SECONDS = 300


@dataclass(frozen=True)
class Client:
    """A client and its command line.

    `program` installs it and returns its command. `ask`, `resume` (continue the latest session) and `image` are
    arguments with the placeholders `{prompt}` and `{image}`. `exceptions` maps scenarios that cannot be run to the
    reason, and `known_failures` scenarios that fail. `prepare` adds files to the scratch folders.
    `shows_thoughts` says that the output of `ask` has the model's reasoning. Some clients offer no tools (`has_tools`).
    """

    recipe: Recipe
    version: str
    program: Callable[[], list[str]]
    ask: Sequence[str]
    resume: Sequence[str] = ()
    image: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[["Desk"], None] | None = None
    shows_thoughts: bool = False
    has_tools: bool = True
    exceptions: Mapping[str, str] = field(default_factory=dict)
    known_failures: Mapping[str, str] = field(default_factory=dict)
    model: str = "sonnet"
    small_model: str = "haiku"

    @property
    def name(self) -> str:
        """Return the name of the recipe, which names the test as well."""
        return self.recipe.name


@dataclass(frozen=True)
class Output:
    """The end of a run: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class Desk:
    """A scratch home with the client's configuration, and a scratch workspace, which is a git repository."""

    def __init__(self, client: Client, folder: Path, address: str, key: str) -> None:
        self.client = client
        self.home = folder / "home"
        self.workspace = folder / "work"
        self.values = Values(address, key, client.model, client.small_model)
        recipe = fill_recipe(client.recipe, self.values)
        self.environ = clean_environ(self.home, **{**client.environ, **recipe.environment})
        for path in (self.home, self.workspace):
            path.mkdir(parents=True)
        for file in recipe.files:
            self.write(file.path, file.content)
        self.git("init", "--quiet")
        if recipe.setup:
            self.run(shlex.split(recipe.setup)[1:])
        if client.prepare:
            client.prepare(self)

    def write(self, path: str, content: str) -> None:
        """Write a file of the workspace, or with `~/` at the start one of the home."""
        target = self.home / path[2:] if path.startswith("~/") else self.workspace / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")

    def commit(self) -> None:
        """Commit the whole workspace."""
        self.git("add", "--all")
        self.git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "Start")

    def git(self, *arguments: str) -> str:
        """Run git in the workspace and return its output."""
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.workspace, env=self.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, prompt: str) -> Output:
        """Run the client with a prompt in a new session. Assert that it succeeds."""
        return self.run(self.client.ask, prompt=prompt)

    def resume(self, prompt: str) -> Output:
        """Run the client with a prompt in its latest session. Assert that it succeeds."""
        return self.run(self.client.resume, prompt=prompt)

    def ask_about(self, image: Path, prompt: str) -> Output:
        """Run the client with a prompt and an image. Assert that it succeeds."""
        return self.run(self.client.image, prompt=prompt, image=str(image))

    def run(self, arguments: Sequence[str], **values: str) -> Output:
        """Run the client with these arguments, whose placeholders get the values. Assert that it succeeds."""
        output = self.end_of(self.start(arguments, **values))
        assert output.code == 0, f"exit code {output.code}\n{output.out[-6000:]}\n{output.err[-6000:]}"
        return output

    def start(self, arguments: Sequence[str], **values: str) -> subprocess.Popen[str]:
        """Start the client in a process group of its own."""
        command = [*self.client.program(), *(fill(argument, values) for argument in arguments)]
        return subprocess.Popen(
            command,
            cwd=self.workspace,
            env={**self.environ, "PWD": str(self.workspace)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def close(self) -> None:
        """Kill daemons that the client has left behind. Their home is the scratch home."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("HOME") == str(self.home):
                    process.kill()

    def end_of(self, process: subprocess.Popen[str]) -> Output:
        """Wait for the end of the client. Kill its process group afterwards."""
        try:
            out, err = process.communicate(timeout=ASK_SECONDS)
        except subprocess.TimeoutExpired as late:
            signal_group(process, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"The client did not end.\n{out[-6000:]}\n{err[-6000:]}") from late
        signal_group(process, signal.SIGKILL)
        return Output(process.returncode, out, err)


def fill(argument: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders of an argument."""
    for name, value in values.items():
        argument = argument.replace(f"{{{name}}}", value)
    return argument


def signal_group(process: subprocess.Popen[str], number: int) -> None:
    """Signal all processes of the client that are left."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
