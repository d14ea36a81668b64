"""Show the gateway without an account: `make demo`.

The real Claude Code CLI runs, but the model is scripted: the tests' stand-in for Anthropic's API repeats the question.
The demo prints commands to try, asks one question itself, and serves until Ctrl-C.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from openai import OpenAI, OpenAIError

from gateway.claude.cli.binary import find_binary
from gateway.errors import ClaudeUnavailable
from tests.support.gateway import ROOT, Gateway

MODEL = "claude-sonnet-4-5"
API_KEY = "sk-ant-dummy"  # for the CLI; the stand-in does not check it
WARM_PROCESSES = 2
WARM_SECONDS = 60.0
DELAY_SECONDS = 0.05  # between words
WORDS = 26
QUESTION = "Hello! Are you a real model?"


def main(argv: list[str] | None = None) -> int:
    """Run the demo. Return 1 if it could not start or the answer failed."""
    options = _parser().parse_args(argv)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        claude = find_binary(os.environ.get("CLAUDE_BINARY_PATH"))
        print(
            f"Starting the gateway with Claude Code {claude.version_text}. The model is scripted: on this machine,"
        )
        print("a stand-in for Anthropic's API answers. No account is used and no data leaves this machine.\n")
        with _standin() as api, _gateway(claude.path, api, options.port) as gateway:
            return _run_demo(gateway, done, options.once)
    except ClaudeUnavailable as error:
        print(error.message, file=sys.stderr)
    except AssertionError as error:  # the gateway did not start; the message says why
        print(error, file=sys.stderr)
    except OpenAIError as error:
        print(f"The gateway did not answer: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.demo", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--port", type=int, default=0, help="port of the gateway (default: any free one)")
    parser.add_argument("--once", action="store_true", help="exit after the answer")
    return parser


def _run_demo(gateway: Gateway, done: threading.Event, exits: bool) -> int:
    if not _await_warm(gateway, done):
        return _exit_code_without_processes(done)
    _print_examples(f"{gateway.url}/v1")
    _ask_question(f"{gateway.url}/v1", done)
    if not exits and not done.is_set():
        print(f"\nServing at {gateway.url} until Ctrl-C.", flush=True)
        done.wait()
    print("Stopping.", flush=True)
    return 0


def _await_warm(gateway: Gateway, done: threading.Event) -> bool:
    """Wait until the CLI processes are ready. Return False if that takes too long or the demo is stopped."""
    deadline = time.monotonic() + WARM_SECONDS
    while time.monotonic() < deadline and not done.wait(0.1):
        if gateway.api.health()["claude"]["warm"] >= WARM_PROCESSES:
            return True
    return False


def _exit_code_without_processes(done: threading.Event) -> int:
    if done.is_set():
        return 0
    print(f"No CLI process was ready within {WARM_SECONDS:g} seconds.", file=sys.stderr)
    return 1


def _print_examples(base_url: str) -> None:
    body = f'{{"model": "{MODEL}", "stream": true, "messages": [{{"role": "user", "content": "Hi"}}]}}'
    print(f"Base URL: {base_url}    API key: any\n")
    print("Try it from another terminal with curl:\n")
    print(f"  curl -N {base_url}/chat/completions -d '{body}'\n")
    print("or with the openai package:\n")
    print("  from openai import OpenAI")
    print(f'  client = OpenAI(base_url="{base_url}", api_key="anything")')
    print('  messages = [{"role": "user", "content": "Hi"}]')
    print(f'  answer = client.chat.completions.create(model="{MODEL}", messages=messages)')
    print("  print(answer.choices[0].message.content)\n", flush=True)


def _ask_question(base_url: str, done: threading.Event) -> None:
    """Stream one chat completion and print it as it arrives."""
    print(f"You:    {QUESTION}")
    print("Answer: ", end="", flush=True)
    first, deltas = 0.0, 0
    with OpenAI(base_url=base_url, api_key="anything", max_retries=0) as client:
        begun = time.monotonic()
        stream = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        for chunk in stream:
            text = chunk.choices[0].delta.content if chunk.choices else None
            if text:
                first = first or time.monotonic() - begun
                deltas += 1
                print(text, end="", flush=True)
            if done.is_set():
                break
    total = time.monotonic() - begun
    print(f"\n\nFirst token after {first * 1000:.0f} ms, {deltas} tokens in {total:.1f} s.", flush=True)


@contextlib.contextmanager
def _standin() -> Iterator[str]:
    """Run the scripted model and yield its URL. Its own session keeps Ctrl-C away from its process."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.standin",
            f"--delay={DELAY_SECONDS}",
            f"--words={WORDS}",
            "--print-url",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url, "The stand-in for Anthropic's API did not start."
        yield url
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def _gateway(claude: str, api: str, port: int) -> Iterator[Gateway]:
    gateway = Gateway(
        {
            "PORT": str(port),
            "CLAUDE_BINARY_PATH": claude,
            "ANTHROPIC_BASE_URL": api,
            "ANTHROPIC_API_KEY": API_KEY,
            "WARM_PROCESSES": str(WARM_PROCESSES),
        }
    )
    try:
        yield gateway
    finally:
        gateway.close()


if __name__ == "__main__":
    sys.exit(main())
