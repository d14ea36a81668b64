"""Run the stand-in by itself, for a demonstration or a benchmark: `python -m tests.standin`."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable
from itertools import cycle, islice

from .prompt import Body, spoken_text
from .replies import Reply, text
from .server import StandIn

INSTANT_DELTAS = 20
_FILLER = "This is a scripted answer from the stand-in, streamed word by word as a model would write it."


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; the first line printed is the URL."""
    options = _parser().parse_args(argv)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    standin = StandIn()
    standin.default(_echo(options.words, options.delay, options.instant))
    standin.start(options.port)
    print(standin.url, flush=True)
    if not options.print_url:
        print(f"Set ANTHROPIC_BASE_URL={standin.url} and ANTHROPIC_API_KEY to anything.", flush=True)
    done.wait()
    standin.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds between words (default: 0.02)")
    parser.add_argument("--words", type=int, default=60, help="length of the answer (default: 60)")
    parser.add_argument(
        "--instant", action="store_true", help=f"{INSTANT_DELTAS} words at once, without delays"
    )
    parser.add_argument("--print-url", action="store_true", help="print the URL and nothing else")
    return parser


def _echo(words: int, delay: float, instant: bool) -> Callable[[Body], Reply]:
    count, pause = (INSTANT_DELTAS, 0.0) if instant else (words, delay)

    def answer(body: Body) -> Reply:
        said = [f"{word} " for word in f"You said: {_clipped(spoken_text(body))}".split()]
        deltas = said[:count] + list(
            islice((f"{word} " for word in cycle(_FILLER.split())), max(0, count - len(said)))
        )
        return text(chunks=deltas, delay=pause)

    return answer


def _clipped(said: str, length: int = 200) -> str:
    return said if len(said) <= length else f"{said[:length]}…"


if __name__ == "__main__":
    main()
