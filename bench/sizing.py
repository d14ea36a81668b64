"""Measure the figures with which `claude-gateway size` simulates a gateway."""

import json
import statistics
from datetime import datetime, timezone

from bench import floors, rows, usage
from bench.results import Row, RowFailed
from bench.rows import ask, await_replacements, counted, new_system_prompt, opening
from bench.targets import Lab, OwnGateway
from gateway.memory import MEGABYTE
from gateway.sizing.model import FIGURES, Figures

FEW, MANY = 1, 9  # warm processes of two gateways; the difference of their CPU is the starts'
TIMES = 20
LONG, SHORT = 500, 20  # words of an answer


def write_figures(lab: Lab, machine: str, version: str) -> Figures:
    """Measure all figures, write them to the file that the simulation reads, and return them."""
    measured = {
        "machine": machine,
        "claude_code": version,
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        **{name: round(value, 4) for name, value in _measure(lab).items()},
    }
    FIGURES.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    return Figures.load()


def _measure(lab: Lab) -> dict[str, float]:
    floor, new, later = Row("stand-in"), Row("new"), Row("follow-up")
    floors.standin(lab, floor, TIMES)
    start = (_cpu_until_warm(lab, MANY) - _cpu_until_warm(lab, FEW)) / (MANY - FEW)
    target = lab.gateway(MANY)
    rows.new_conversation(target, new, TIMES)
    rows.follow_up(target, later, TIMES)
    tokens = _cpu_of_answers(target, LONG) - _cpu_of_answers(target, SHORT)
    standin = statistics.median(floor.first)
    return {
        "start_cpu_seconds": start,
        "new_seconds": statistics.median(new.first) - standin,
        "new_cpu_seconds": max(0.0, (new.cpu_per_request or 0.0) - start),
        "follow_up_seconds": statistics.median(later.first) - standin,
        "follow_up_cpu_seconds": later.cpu_per_request or 0.0,
        "token_cpu_seconds": max(0.0, tokens / (LONG - SHORT)),
        **_memory(target),
    }


def _cpu_until_warm(lab: Lab, count: int) -> float:
    """Return the CPU seconds of a new gateway until so many processes are warm."""
    lab.close_gateway()
    target = lab.gateway(count)
    target.settle(count)
    return target.cpu() or 0.0


def _cpu_of_answers(target: OwnGateway, words: int) -> float:
    """Return the CPU seconds of a follow-up turn with so many words."""
    messages, row = opening(new_system_prompt()), Row("")
    (answer,) = ask([target.chat(messages)])
    await_replacements(target)
    with counted(row, target):
        for _ in range(TIMES):
            messages = [
                *messages,
                {"role": "assistant", "content": answer.text},
                {"role": "user", "content": f"Say hello in {words} words."},
            ]
            (answer,) = ask([target.chat(messages)])
    return (row.cpu or 0.0) / TIMES


def _memory(target: OwnGateway) -> dict[str, float]:
    """Return the memory in MB of the worker, and of a CLI process that has answered: those are the larger half."""
    sizes = sorted(
        size for process in usage.tree(target.worker)[1:] if (size := usage.private(process.pid)) is not None
    )
    worker = usage.rss(target.worker)
    if not sizes or worker is None:
        raise RowFailed("the memory of processes can be measured on Linux only")
    unit = usage.MIB / MEGABYTE
    return {
        "process_mb": statistics.median(sizes[len(sizes) // 2 :]) * unit,
        "worker_mb": worker * unit,
    }
