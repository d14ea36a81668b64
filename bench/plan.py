"""The rows of the benchmark by name, with the number of repetitions of each.

For example, to measure one row by hand:

    (row,) = [one for one in server_rows(lab.gateway) if one.name == "new conversation"]
    print(table([measure(row, row.times)]))
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import httpx2 as httpx

from bench import floors, latency, load, machine, rows, scripted, usage
from bench.results import NotSupported, Row, RowFailed
from bench.targets import Lab, Target

WARM = 8  # warm processes in all rows but the one with 32 conversations and those with the default pool
FAST_DELTAS = 200_000
DELTAS = 100  # of a slow stream


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row that has not been measured. `add` measures so many repetitions and adds them to a row.

    `quick` is the number of repetitions in a quick run, and 0 leaves the row out. To compare two servers, the
    repetitions are split into up to `parts` parts.
    """

    name: str
    add: Callable[[Row, int], None]
    times: int
    quick: int
    parts: int = 5


def measure(measurement: Measurement, times: int) -> Row:
    """Return the measured row. The remark of a row that failed says why."""
    row, others = Row(measurement.name), usage.Others()
    try:
        measurement.add(row, times)
    except NotSupported as error:
        row = Row(measurement.name, remark=str(error))
    except (RowFailed, AssertionError, httpx.HTTPError) as error:  # HTTPError: the gateway is gone
        row = Row(measurement.name, remark=f"failed: {error}", failed=True)
    row.others = others.share()
    return row


def select(measurements: Sequence[Measurement], only: Sequence[str], *, is_quick: bool) -> list[Measurement]:
    """Return the rows of a run: all of them, or those with one of the texts `only` in their names."""
    return [
        measurement
        for measurement in measurements
        if (not only or any(part in measurement.name for part in only))
        and (measurement.quick or not is_quick)
    ]


def lab_rows(lab: Lab) -> list[Measurement]:
    """Return all rows, in the order of the table."""
    by_server = [
        Measurement(row.name, partial(floors.follow_up, lab), 70, 10) if row.name == "follow-up turn" else row
        for row in server_rows(lab.gateway)
    ]
    return [
        Measurement("stand-in itself", partial(floors.standin, lab), 50, 10),
        Measurement("cold claude -p", partial(floors.cold_claude, lab), 20, 3),
        *by_server,
        *_own_rows(lab),
    ]


def comparable_rows(lab: Lab) -> list[Measurement]:
    """Return the rows that measure the gateway itself, to compare two versions of it."""
    return [*server_rows(lab.gateway), *_own_rows(lab)]


def _own_rows(lab: Lab) -> list[Measurement]:
    return [*_subscription_rows(lab), *_scripted_rows(lab), *load_rows(lab.default), *_machine_rows(lab)]


def server_rows(target: Callable[[int], Target]) -> list[Measurement]:
    """Return the rows that suit any server. `target` returns a server with this many warm processes."""

    def on(warm: int, add: Callable[[Target, Row, int], None]) -> Callable[[Row, int], None]:
        return lambda row, times: add(target(warm), row, times)

    def at_once(count: int, warm: int = WARM) -> Callable[[Row, int], None]:
        return lambda row, times: rows.at_once(target(warm), row, times, count)

    return [
        Measurement("new conversation", on(WARM, rows.new_conversation), 20, 4),
        Measurement("new conversation, known set-up", on(WARM, rows.known_set_up), 20, 4),
        Measurement("follow-up turn", on(WARM, rows.follow_up), 20, 4),
        Measurement("tool round trip", on(WARM, rows.tool_round_trip), 20, 4),
        Measurement("1 new conversation at once", at_once(1), 5, 1),
        Measurement("6 new conversations at once", at_once(6), 5, 1),
        Measurement("8 new conversations at once", at_once(8), 5, 1),
        Measurement(
            "32 new conversations at once", at_once(32, 32), 2, 0
        ),  # they take half a minute to start
    ]


def load_rows(start: Callable[[], Target]) -> list[Measurement]:
    """Return the rows under load that suit any server. `start` returns a server with default settings."""

    def on(add: Callable[[Target, Row, int], None]) -> Callable[[Row, int], None]:
        return lambda row, times: add(start(), row, times)

    def bursts(count: int) -> Callable[[Row, int], None]:
        return lambda row, times: load.bursts(start, row, times, count)

    return [
        Measurement("load: one-off conversations, one per second", on(load.steady), 40, 10, parts=2),
        Measurement("load: one-off conversations, four clients", on(load.as_many_as_possible), 100, 16, 2),
        Measurement("load: bursts of 8", bursts(8), 3, 1),
        Measurement("load: bursts of 32", bursts(32), 2, 0),
        Measurement("load: canceled requests", on(load.cancels), 200, 20, parts=2),
    ]


def _machine_rows(lab: Lab) -> list[Measurement]:
    return [
        Measurement("load: idle fleet", partial(machine.idle_fleet, lab), 10, 0, parts=1),
        *(
            Measurement(
                f"load: {gigabytes} GB of memory",
                partial(machine.small_machine, lab, mib=gigabytes * 1024),
                machine.IN_A_ROW,
                0,
                parts=1,
            )
            for gigabytes in (1, 2)
        ),
    ]


def _subscription_rows(lab: Lab) -> list[Measurement]:
    """Return the rows that a login of a subscription could slow down."""
    wanted = ("new conversation", "follow-up turn", "tool round trip")
    return [
        Measurement(f"subscription: {row.name}", row.add, row.times, row.quick)
        for row in server_rows(lab.subscription)
        if row.name in wanted
    ]


def _scripted_rows(lab: Lab) -> list[Measurement]:
    follow_ups = partial(latency.follow_ups, lab)
    return [
        Measurement("scripted CLI: first delta", partial(latency.new_conversations, lab), 100, 30),
        Measurement("scripted CLI: first delta of a follow-up", partial(follow_ups, messages=0), 100, 30),
        Measurement("scripted CLI: the same, 200 messages", partial(follow_ups, messages=200), 100, 30),
        Measurement(
            "scripted CLI: one fast stream", partial(scripted.fast_stream, lab, deltas=FAST_DELTAS), 3, 1
        ),
        Measurement(
            "scripted CLI: slow streams", partial(scripted.slow_streams, lab, deltas=DELTAS), 500, 100, 1
        ),
    ]
