"""Rows about a gateway with default settings and its machine: an idle fleet, and a machine with little memory."""

import time

from bench import usage
from bench.load import send_all
from bench.memory_limit import group_of, memory_limit
from bench.results import Row, RowFailed
from bench.rows import ask, new_system_prompt, opening
from bench.targets import Lab, OwnGateway

CONVERSATIONS = 14  # with the two warm processes, the default budget of 16
KEEP_SECONDS = 75  # instead of five minutes, so that an hour passes in two
IDLE_SECONDS = 60.0  # before the CPU of the idle fleet is measured
IN_A_ROW = 24
AT_ONCE = 10


def idle_fleet(lab: Lab, row: Row, seconds: int) -> None:
    """Measure the CPU of a full fleet a minute after its last answer, and the memory after KEEP_SECONDS."""
    target = lab.default(KEEP_SECONDS=str(KEEP_SECONDS))
    target.settle(2)
    root = target.root
    before, processes_before = usage.tree_memory(root), target.status()["processes"]
    for _ in range(CONVERSATIONS):
        row.first += [answer.first for answer in ask([target.chat(opening(new_system_prompt()))])]
    ended = time.monotonic()
    time.sleep(IDLE_SECONDS)
    used, begun = usage.cpu_seconds(root), time.monotonic()
    full, processes = usage.tree_memory(root), target.status()["processes"]
    time.sleep(seconds)
    percent = (usage.cpu_seconds(root) - used) / (time.monotonic() - begun) * 100
    time.sleep(max(0.0, ended + KEEP_SECONDS + 2.0 - time.monotonic()))
    target.settle(1)
    after, processes_after = usage.tree_memory(root), target.status()["processes"]
    row.gateway_memory, row.cli_memory = target.memory()
    row.figures["idle_cpu_percent"] = percent
    row.remark = (
        f"idle {percent:.1f} % of a core; processes {processes_before}, {processes}, {processes_after}"
    )
    if before is not None and full is not None and after is not None:
        row.figures |= {"memory_before_mib": before, "memory_full_mib": full, "memory_after_mib": after}
        row.remark += f"; {before:.0f} MiB before, {full:.0f} full, {after:.0f} after {KEEP_SECONDS} s"


def small_machine(lab: Lab, row: Row, in_a_row: int, mib: int) -> None:
    """Measure conversations in a row and then at once, with this much memory for the gateway and its processes."""
    with memory_limit(mib) as prefix:
        target = lab.default(prefix)
        try:
            _fill(target, row, in_a_row)
            group = group_of(target.root)
            row.figures |= {"kernel_kills": group.kills, "peak_mib": group.peak or 0.0}
            row.gateway_memory, row.cli_memory = target.memory()
            processes = target.status()["processes"]
        finally:
            lab.close_gateway()  # the group cannot be removed before
    row.remark = (
        "{kernel_kills} kernel kills, {errors} errors 5xx, {refused} refused, peak {peak_mib:.0f} MiB".format(
            **row.figures
        )
    )
    row.remark += f", {processes} processes at the end"


def _fill(target: OwnGateway, row: Row, in_a_row: int) -> None:
    target.settle(1)
    answers, errors = [], []
    for count in [1] * in_a_row + [AT_ONCE]:
        answered, failed = send_all([target.chat(opening(new_system_prompt())) for _ in range(count)])
        answers += answered
        errors += failed
    if not answers:
        raise RowFailed(errors[0].error)
    row.first += [answer.first for answer in answers]
    row.last += [answer.last for answer in answers]
    refused = sum(error.status == 429 for error in errors)
    row.figures |= {"refused": refused, "errors": len(errors) - refused}
