"""Measure the throughput of the gateway, with a CLI that uses almost no CPU (scripted_cli.py)."""

import os
import statistics
import time

from bench import usage
from bench.client import Answer, Request
from bench.results import Row, percentile
from bench.rows import ask
from bench.targets import Lab, OwnGateway

PAUSE_SECONDS = 0.1  # between the deltas of a slow stream


def play(target: OwnGateway, script: str) -> Request:
    """Return a request that makes the scripted CLI play `script`."""
    return target.chat([{"role": "user", "content": f"play {script}"}])


def fast_stream(lab: Lab, row: Row, times: int, deltas: int) -> None:
    """Measure one stream that is written as fast as it is read, and the memory before, at the peak and after."""
    target = lab.scripted(warm=4)
    ask([play(target, f"{deltas // 10} 0")])
    target.settle(1)
    before = usage.rss(target.worker)
    usage.reset_peak(target.worker)
    rates = []
    for _ in range(times):
        used = target.cpu() or 0.0
        (answer,) = ask([play(target, f"{deltas} 0")])
        rates.append(len(answer.deltas) / (answer.deltas[-1][0] - answer.deltas[0][0]))
        row.first.append(answer.first)
        row.last.append(answer.last)
        target.settle(1)
        row.cpu = (row.cpu or 0.0) + (target.cpu() or 0.0) - used
    row.figures["events_per_second"] = statistics.median(rates)
    row.remark = f"{row.figures['events_per_second']:,.0f} token events per second, of {deltas:,}"
    row.gateway_memory, row.cli_memory = target.memory()
    after, peak = row.gateway_memory, usage.peak(target.worker)
    if before is not None and after is not None and peak is not None:
        row.figures |= {"rss_before_mib": before, "rss_peak_mib": peak, "rss_after_mib": after}
        row.remark += f"; gateway {before:.1f} MiB before, {peak:.1f} at its peak, {after:.1f} after"


def slow_streams(lab: Lab, row: Row, streams: int, deltas: int) -> None:
    """Measure the delay of each delta in many streams at once, with 10 deltas per second in each.

    The streams begin when all of them have a process, because the start of processes is not measured here.
    """
    target = lab.scripted(warm=2)
    target.settle(2)
    before = usage.rss(target.worker)
    gate = lab.folder / "gate"
    gate.unlink(missing_ok=True)
    os.mkfifo(gate)
    gates: list[int] = []
    scripts = [f"{deltas} {PAUSE_SECONDS} {i * PAUSE_SECONDS / streams:.6f} {gate}" for i in range(streams)]
    begun = time.monotonic()
    started: list[float] = []

    def open_gate() -> None:
        started.append(time.monotonic() - begun)
        gates.append(os.open(gate, os.O_RDWR))  # stays open, so that no late reader waits

    try:
        answers = ask([play(target, script) for script in scripts], open_gate)
    finally:
        for descriptor in gates:
            os.close(descriptor)
    _add_lateness(row, answers)
    row.gateway_memory, row.cli_memory = usage.rss(target.worker), None
    row.figures |= {"streams": streams, "seconds_to_start_all": started[0]}
    row.remark += f"; {streams} streams, started in {started[0]:.1f} s"
    if before is not None and row.gateway_memory is not None:
        row.figures["gateway_kib_per_stream"] = (row.gateway_memory - before) * 1024 / streams
        row.remark += f"; {row.figures['gateway_kib_per_stream']:.0f} KiB of the gateway per stream"


def _add_lateness(row: Row, answers: list[Answer]) -> None:
    late = []
    for answer in answers:
        for when, text in answer.deltas:
            late.append(when - float(text.split()[-1]))
    row.figures["late_median_ms"] = statistics.median(late) * 1000
    row.figures["late_p95_ms"] = percentile(late, 0.95) * 1000
    row.figures["late_max_ms"] = max(late) * 1000
    row.remark = (
        "deltas late by {late_median_ms:.1f} ms, p95 {late_p95_ms:.1f}, at most {late_max_ms:.0f}".format(
            **row.figures
        )
    )
