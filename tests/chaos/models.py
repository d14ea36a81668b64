"""The two CLIs that chaos can disturb: the scripted one, and the real one with the stand-in for Anthropic's API.

For example:

    with model.failing("overloaded") as message:
        gateway.api.chat(message)      # fails
    gateway.api.chat("hello")          # works again: "You said: hello"
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.claude.cli.binary import find_binary
from tests.standin import StandIn
from tests.standin.replies import Reply, cut, error, hang, raw, stream_error, text
from tests.support.scripted import ScriptedCli

SCRIPTED_FAILURES = (
    "GARBAGE",
    "CRASHFIRST",
    "CRASHLATER",
    "EXIT",
    "HALFLINE",
    "HANGFIRST",
    "HANGLATER",
    "SPLIT",
)
WORKS = text("You said: hello")
REPLIES: Mapping[str, Reply] = {
    "silence": hang(-1),
    "silence later": hang(2),
    "a dropped connection": cut(-1),
    "a dropped connection later": cut(2),
    "an error": error(500),
    "an error later": stream_error(2),
    "overloaded": error(529),
    "a rate limit": error(429),
    "a refused login": error(401),
    "garbage": raw([b"garbage\n\n", b"data: {\n\n"]),
    "HANGFIRST": hang(-1),
    "HANGLATER": hang(2, reply=text(chunks=["so far ", "so ", "good"])),
    "HUGE": text(chunks=["x" * 10_000] * 500),
}


@dataclass(frozen=True, slots=True)
class Model:
    """A CLI and its model. `environ` are settings of a gateway that uses it, and `failures` the names for `failing`.

    Within `failing(name)`, answers to the message that it yields fail in this way. HANGFIRST, HANGLATER (after
    "so far") and HUGE are always possible.
    """

    environ: Mapping[str, str]
    failures: tuple[str, ...]
    failing: Callable[[str], AbstractContextManager[str]]


def use_scripted_cli(folder: Path, stack: ExitStack) -> Model:
    """Return the scripted CLI, which fails if the message is the name of the failure."""
    environ = {**ScriptedCli(folder).environ, "STREAMING_TIMEOUT_SECONDS": "1"}
    return Model(environ, SCRIPTED_FAILURES, nullcontext)


def use_real_cli(folder: Path, stack: ExitStack) -> Model:
    """Return the real CLI, whose API fails."""
    standin = stack.enter_context(StandIn())
    standin.default(WORKS)
    environ = {
        "CLAUDE_BINARY_PATH": find_binary(None).path,
        "ANTHROPIC_BASE_URL": standin.url,
        "HOME": str(folder),
        "CLAUDE_MAX_RETRIES": "1",
        "STREAMING_TIMEOUT_SECONDS": "3",
    }
    failures = tuple(name for name in REPLIES if not name.isupper())
    return Model(environ, failures, partial(_failing, standin))


@contextmanager
def _failing(standin: StandIn, name: str) -> Iterator[str]:
    standin.default(REPLIES[name])
    try:
        yield "hello"
    finally:
        standin.default(WORKS)


MODELS: Mapping[str, Callable[[Path, ExitStack], Model]] = {
    "scripted": use_scripted_cli,
    "real": use_real_cli,
}
