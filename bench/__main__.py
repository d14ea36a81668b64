"""The command: start the servers to measure, print one table and clean up."""

import argparse
import contextlib
import json
import os
import platform
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import history
from bench.compare import Pair, compare, ratios
from bench.plan import Measurement, comparable_rows, lab_rows, load_rows, measure, select, server_rows
from bench.results import Row, disturbance, table
from bench.sizing import write_figures
from bench.targets import Lab, Server
from gateway.claude.cli.binary import find_binary
from gateway.errors import ClaudeUnavailable
from tests.support.gateway import THIS_PROGRAM, Program

MODEL = "claude-sonnet-4-5"


def main(argv: list[str] | None = None) -> int:
    """Measure and print. Return 1 if a row failed or got worse, or if the gateway could not start."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _raise_file_limit()
    try:
        with contextlib.ExitStack() as stack:
            if options.figures:
                return _measure_figures(options, stack)
            if options.check is not None:
                return _check(options, stack)
            if options.compare:
                return _compare(options, stack)
            return _measure(options, stack)
    except ClaudeUnavailable as error:
        print(error.message, file=sys.stderr)
    except history.ReleaseMissing as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure latency and throughput.")
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer repetitions; takes about three minutes")
    add("--only", metavar="NAME", action="append", default=[], help="only rows with NAME in their names")
    add("--json", metavar="FILE", type=Path, help="also write all figures to a file")
    add("--url", help="measure this server instead, by its answers only; requests may cost money")
    add("--model", help=f"model to request (default: {MODEL}, or the first that the server lists)")
    add("--api-key", metavar="K", help="key for --url")
    add("--pid", type=int, help="process of the server at --url, to count the CPU of it and its descendants")
    add("--compare", metavar="URL|DIR", help="measure another server, or the gateway in a folder, in turn")
    add("--compare-model", metavar="NAME", help="model of the other server")
    add("--compare-key", metavar="K", help="key for the other server")
    add("--compare-pid", metavar="PID", type=int, help="process of the other server")
    add(
        "--check",
        metavar="REF",
        nargs="?",
        const="",
        help="compare with a commit (default: the last release), and fail if a row got 15 %% worse",
    )
    add(
        "--figures",
        action="store_true",
        help="measure the figures of `claude-gateway size`, and write them",
    )
    add("--at", metavar="REF", help="measure the gateway of a commit or tag")
    add("--record", metavar="VERSION", help="append the figures to bench/history.jsonl")
    return parser


def _measure(options: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Measure one server."""
    if options.url:
        rows = _rows_of_url(options.url, options.model, options.api_key, options.pid)
    else:
        program = history.program_at(options.at) if options.at else THIS_PROGRAM
        rows = lab_rows(_lab(options, stack, program))
    done = []
    for row in select(rows, options.only, is_quick=options.quick):
        print(f"{row.name} ...", file=sys.stderr, flush=True)
        done.append(measure(row, row.quick if options.quick else row.times))
    print(table(done))
    if (warning := disturbance(done)) and not options.url:  # one of the other programs may be the server
        print(f"\n{warning}")
    if options.json:
        _write(options.json, {"rows": [row.as_json() for row in done]})
    if options.record:
        history.record(options.record, options.at or "HEAD", _machine(), done)
    return 1 if not done or any(row.failed for row in done) else 0


def _compare(options: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Measure this gateway, or the server at --url, and another one in turn."""
    other = options.compare
    if not other.startswith(("http://", "https://")):
        pairs = _compare_programs(options, stack, history.program_in(Path(other)))
    else:
        theirs = _rows_of_url(other, options.compare_model, options.compare_key, options.compare_pid)
        if options.url:
            ours = _rows_of_url(options.url, options.model, options.api_key, options.pid)
        else:
            lab = _lab(options, stack)
            ours = [*server_rows(lab.gateway), *load_rows(lab.default)]
        pairs = compare(select(ours, options.only, is_quick=options.quick), theirs, is_quick=options.quick)
    _report(options, pairs)
    return 1 if not pairs or any(pair.this.failed or pair.other.failed for pair in pairs) else 0


def _check(options: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Compare with a release. Rows that got worse are measured again, because a disturbance can last for a row."""
    ref = options.check or history.last_release().commit
    program = history.program_at(ref)
    pairs = _compare_programs(options, stack, program)
    _report(options, pairs)
    suspects = [pair.this.name for pair in pairs if pair.is_worse]
    if suspects:
        print("\nAgain, the rows that got worse:")
        again = _compare_programs(options, stack, program, names=suspects)
        print(ratios(again))
        suspects = [pair.this.name for pair in again if pair.is_worse]
    print(f"\nWorse than {ref}: {', '.join(suspects)}" if suspects else f"\nNo row is worse than {ref}.")
    return 1 if suspects or not pairs else 0


def _compare_programs(
    options: argparse.Namespace,
    stack: contextlib.ExitStack,
    program: Program,
    names: Sequence[str] | None = None,
) -> list[Pair]:
    """Compare the gateway here with the one in another folder, over the same stand-in and the same CLI."""
    lab = _lab(options, stack)
    other = stack.enter_context(Lab(lab.claude, lab.model, program, lab.upstream))
    ours = select(comparable_rows(lab), options.only, is_quick=options.quick)
    if names is not None:
        ours = [row for row in ours if row.name in names]
    pairs = compare(ours, comparable_rows(other), is_quick=options.quick)
    for used in (other, lab):
        used.close_gateway()
    return pairs


def _measure_figures(options: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Measure what `claude-gateway size` simulates with."""
    version = find_binary(os.environ.get("CLAUDE_BINARY_PATH")).version_text
    print(write_figures(_lab(options, stack), _machine(), version.partition(" ")[0]))
    return 0


def _rows_of_url(url: str, model: str | None, key: str | None, pid: int | None) -> list[Measurement]:
    server = Server(url, model, key, pid)
    return [*server_rows(lambda warm: server), *load_rows(lambda: server)]


def _lab(options: argparse.Namespace, stack: contextlib.ExitStack, program: Program = THIS_PROGRAM) -> Lab:
    claude = find_binary(os.environ.get("CLAUDE_BINARY_PATH"))
    print(f"Claude Code {claude.version_text}, {_machine()}. No account is used.", file=sys.stderr)
    return stack.enter_context(Lab(claude.path, options.model or MODEL, program))


def _report(options: argparse.Namespace, pairs: Sequence[Pair]) -> None:
    print(ratios(pairs))
    rows: list[Row] = [row for pair in pairs for row in (pair.this, pair.other)]
    if (warning := disturbance(rows)) and not options.url and not options.compare:
        print(f"\n{warning}")
    if options.json:
        sides = [{"this": pair.this.as_json(), "other": pair.other.as_json()} for pair in pairs]
        _write(options.json, {"pairs": sides})


def _raise_file_limit() -> None:
    """Allow many files: sockets here, and in the gateway, which inherits the limit, pipes to hundreds of processes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def _write(path: Path, figures: dict[str, object]) -> None:
    path.write_text(json.dumps({"machine": _machine(), **figures}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
