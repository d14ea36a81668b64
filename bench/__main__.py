"""The command: start the servers to measure, print one table and clean up."""

import argparse
import json
import os
import platform
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx2 as httpx

from bench import floors, latency, rows, scripted, usage
from bench.results import NotSupported, Row, RowFailed, disturbance, table
from bench.targets import Lab, Server, Target
from gateway.claude.cli.binary import find_binary
from gateway.errors import ClaudeUnavailable

MODEL = "claude-sonnet-4-5"
WARM = 8  # warm processes in all rows but the one with 32 conversations
FAST_DELTAS = 200_000

Work = Callable[[Row], None]


def main(argv: list[str] | None = None) -> int:
    """Measure and print. Return 1 if a row failed or the gateway could not start."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _raise_file_limit()
    try:
        if options.url:
            server = Server(options.url, options.model, options.api_key)
            done = _measure(_server_rows(lambda warm: server, options.quick), options.only)
        else:
            claude = find_binary(os.environ.get("CLAUDE_BINARY_PATH"))
            print(f"Claude Code {claude.version_text}, {_machine()}. No account is used.", file=sys.stderr)
            with Lab(claude.path, options.model or MODEL) as lab:
                done = _measure(_lab_rows(lab, options.quick), options.only)
    except ClaudeUnavailable as error:
        print(error.message, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(table(done))
    if (
        warning := disturbance(done)
    ) and not options.url:  # the measured server may be one of the other programs
        print(f"\n{warning}")
    if options.json:
        _write(options.json, done)
    return 1 if not done or any(row.failed for row in done) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure latency and throughput.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions; takes about a minute")
    parser.add_argument(
        "--only", metavar="NAME", action="append", help="measure only rows with NAME in their names"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write all figures to a file")
    parser.add_argument(
        "--url", help="measure this server instead, by its answers only; requests may cost money"
    )
    parser.add_argument(
        "--model", help=f"model to request (default: {MODEL}, or the first that the server lists)"
    )
    parser.add_argument("--api-key", metavar="K", help="key for --url")
    return parser


def _lab_rows(lab: Lab, quick: bool) -> dict[str, Work]:
    """Return the rows by name, in the order of the table."""
    streams, length = (100, 30) if quick else (500, 100)
    times = 30 if quick else 100
    return {
        "stand-in itself": partial(floors.standin, lab, times=10 if quick else 50),
        "cold claude -p": partial(floors.cold_claude, lab, times=3 if quick else 20),
        **_server_rows(lab.gateway, quick),
        "follow-up turn": partial(floors.follow_up, lab, times=10 if quick else 70),
        **_subscription_rows(lab, quick),
        "scripted CLI: first delta": partial(latency.new_conversations, lab, times=times),
        "scripted CLI: first delta of a follow-up": partial(latency.follow_ups, lab, times=times, messages=0),
        "scripted CLI: the same, 200 messages": partial(latency.follow_ups, lab, times=times, messages=200),
        "scripted CLI: one fast stream": partial(
            scripted.fast_stream, lab, times=1 if quick else 3, deltas=FAST_DELTAS
        ),
        "scripted CLI: slow streams": partial(scripted.slow_streams, lab, streams=streams, deltas=length),
    }


def _subscription_rows(lab: Lab, quick: bool) -> dict[str, Work]:
    """Return the rows that a login of a subscription could slow down."""
    wanted = ("new conversation", "follow-up turn", "tool round trip")
    measured = _server_rows(lab.subscription, quick)
    return {f"subscription: {name}": measured[name] for name in wanted}


def _server_rows(target: Callable[[int], Target], quick: bool) -> dict[str, Work]:
    """Return the rows that suit any server. `target` returns a server with this many warm processes."""
    times, rounds = (4, 1) if quick else (20, 5)

    def on(warm: int, measure: Callable[[Target, Row, int], None], count: int) -> Work:
        return lambda row: measure(target(warm), row, count)

    def at_once(count: int, warm: int, rounds: int) -> Work:
        return lambda row: rows.at_once(target(warm), row, rounds, count)

    named = {
        "new conversation": on(WARM, rows.new_conversation, times),
        "new conversation, known set-up": on(WARM, rows.known_set_up, times),
        "follow-up turn": on(WARM, rows.follow_up, times),
        "tool round trip": on(WARM, rows.tool_round_trip, times),
        "1 new conversation at once": at_once(1, WARM, rounds),
        "6 new conversations at once": at_once(6, WARM, rounds),
        "8 new conversations at once": at_once(8, WARM, rounds),
        "32 new conversations at once": at_once(32, 32, 2),
    }
    if quick:
        del named["32 new conversations at once"]  # 32 processes take half a minute to start
    return named


def _measure(named: dict[str, Work], only: list[str] | None) -> list[Row]:
    done = []
    for name, work in named.items():
        if only and not any(part in name for part in only):
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        row, others = Row(name), usage.Others()
        try:
            work(row)
        except NotSupported as error:
            row = Row(name, remark=str(error))
        except (RowFailed, AssertionError, httpx.HTTPError) as error:  # HTTPError: the gateway is gone
            row = Row(name, remark=f"failed: {error}", failed=True)
        row.others = others.share()
        done.append(row)
    return done


def _raise_file_limit() -> None:
    """Allow many files: sockets here, and in the gateway, which inherits the limit, pipes to hundreds of processes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def _write(path: Path, done: list[Row]) -> None:
    figures = {"machine": _machine(), "rows": [row.as_json() for row in done]}
    path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
