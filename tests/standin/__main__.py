"""Run the stand-in as a program, for a demonstration or a benchmark: `python -m tests.standin`."""

import argparse
import signal
import threading
from collections.abc import Callable
from itertools import chain, cycle, islice

from .prompt import Body, spoken_text
from .replies import Reply, text
from .server import StandIn

INSTANT_DELTAS = 20
_FILLER = "This is a scripted answer from the stand-in, streamed word by word as a model would write it."


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Print the URL as the first line."""
    options = _parser().parse_args(argv)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    standin = StandIn()
    standin.default(_echo(options.words, options.delay, options.instant))
    standin.start(options.port)
    print(standin.url, flush=True)
    if not options.print_url:
        print(f"Set ANTHROPIC_BASE_URL={standin.url}, and ANTHROPIC_API_KEY to any value.", flush=True)
    done.wait()
    standin.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds between words (default: 0.02)")
    parser.add_argument("--words", type=int, default=60, help="words of the answer (default: 60)")
    parser.add_argument("--instant", action="store_true", help=f"send {INSTANT_DELTAS} words without delays")
    parser.add_argument("--print-url", action="store_true", help="print only the URL")
    return parser


def _echo(length: int, delay: float, instant: bool) -> Callable[[Body], Reply]:
    count, pause = (INSTANT_DELTAS, 0.0) if instant else (length, delay)

    def answer(body: Body) -> Reply:
        words = chain(f"You said: {_shorten(spoken_text(body))}".split(), cycle(_FILLER.split()))
        return text(chunks=[f"{word} " for word in islice(words, count)], delay=pause)

    return answer


def _shorten(text: str, length: int = 200) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


if __name__ == "__main__":
    main()
