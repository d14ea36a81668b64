"""Rows under load that measure any server: one-off conversations, bursts, and requests that are canceled."""

import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.client import Answer, Request, abandon, exchange
from bench.results import NotSupported, Row, RowFailed, percentile
from bench.rows import Messages, ask, await_replacements, counted, new_system_prompt, opening
from bench.targets import Target

TITLES = "You write titles for conversations. Answer with the title only."
ANSWER = "in 50 words"
LEARN = 3  # conversations before the measurement, so that a server knows the application
CLIENTS = 4  # twice the cores of the machine for which the figures are meant
PERIOD_SECONDS = 1.0
AUTOCOMPLETE = "You complete the user's text."
TYPED = 12  # characters that a person types before the next completion is requested
CANCELS_BEFORE_ANSWER = 2


def one_off(target: Target) -> Request:
    """Return the only request of a new conversation, with the system prompt that all of them share."""
    question = f"Write a title {ANSWER} for conversation {uuid.uuid4()}."
    return target.chat([{"role": "system", "content": TITLES}, {"role": "user", "content": question}])


def steady(target: Target, row: Row, times: int) -> None:
    """Measure one-off conversations that arrive once per second."""
    _learn(target)
    with counted(row, target):
        due = time.monotonic()
        for _ in range(times):
            time.sleep(max(0.0, due - time.monotonic()))
            due += PERIOD_SECONDS
            _add(row, ask([one_off(target)]))
        await_replacements(target)
    row.gateway_memory, row.cli_memory = target.memory()
    row.figures["p95_ms"] = percentile(row.first, 0.95) * 1000


def as_many_as_possible(target: Target, row: Row, times: int) -> None:
    """Measure one-off conversations of clients that ask again as soon as they have an answer."""
    _learn(target)
    with counted(row, target):
        begun = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for answers in pool.map(lambda _: ask([one_off(target)]), range(times)):
                _add(row, answers)
        elapsed = time.monotonic() - begun
        await_replacements(target)
    row.gateway_memory, row.cli_memory = target.memory()
    row.figures["requests_per_minute"] = times / elapsed * 60
    row.remark = f"{row.figures['requests_per_minute']:.0f} requests per minute"


def bursts(start: Callable[[], Target], row: Row, times: int, count: int) -> None:
    """Measure a second burst of new conversations; the first one is a figure. `start` returns a fresh server."""
    firsts: list[float] = []
    refused = 0
    for _ in range(times):
        target = start()
        target.settle(1)
        answers, turned_away = _burst(target, count)
        firsts += [answer.first for answer in answers]
        await_replacements(target)
        answers, again = _burst(target, count)
        _add(row, answers)
        refused += turned_away + again
        row.gateway_memory, row.cli_memory = target.memory()
    row.figures |= {"first_burst_ms": statistics.median(firsts) * 1000, "refused": refused}
    row.remark = f"first burst {row.figures['first_burst_ms']:.0f} ms"
    row.remark += f"; {refused} refused" if refused else ""


def cancels(target: Target, row: Row, times: int) -> None:
    """Measure requests that end with their first bytes, as when a person types, and the first one that does not."""
    target.settle(1)
    completions = _completions(target)
    ask([next(completions)])
    await_replacements(target)
    before = target.cpu()
    begun = [_abandon(next(completions)) for _ in range(times)]
    await_replacements(target)
    after = target.cpu()
    row.figures["canceled_first_ms"] = statistics.median(begun) * 1000
    row.remark = f"{times} canceled, which began after {row.figures['canceled_first_ms']:.0f} ms"
    if before is not None and after is not None:
        row.figures["cpu_per_cancel"] = (after - before) / times
        row.remark += f" and cost {row.figures['cpu_per_cancel']:.2f} s of CPU each"
    for _ in range(max(2, times // 20)):
        for _ in range(CANCELS_BEFORE_ANSWER):
            _abandon(next(completions))
        _add(row, ask([next(completions)]))
    row.gateway_memory, row.cli_memory = target.memory()


def send_all(requests: Sequence[Request]) -> tuple[list[Answer], list[Answer]]:
    """Send requests at once. Return the answers, and the errors that came instead."""
    try:
        answers = exchange(requests)
    except OSError as error:
        raise RowFailed(f"no answer: {error}") from error
    return [answer for answer in answers if not answer.error], [answer for answer in answers if answer.error]


def _learn(target: Target) -> None:
    target.settle(1)
    for _ in range(LEARN):
        ask([one_off(target)])
    await_replacements(target)


def _add(row: Row, answers: Sequence[Answer]) -> None:
    row.first += [answer.first for answer in answers]
    row.last += [answer.last for answer in answers]


def _burst(target: Target, count: int) -> tuple[list[Answer], int]:
    """Send new conversations at once. Return their answers, and how many were refused because there are too many."""
    answers, errors = send_all([target.chat(opening(new_system_prompt())) for _ in range(count)])
    failed = [error.error for error in errors if error.status != 429]
    if failed or not answers:
        raise RowFailed((failed or ["every request was refused"])[0])
    return answers, len(errors)


def _completions(target: Target) -> Iterator[Request]:
    """Yield requests as a person types a text: each has a few characters more than the one before."""
    typed = ""
    while True:
        typed += uuid.uuid4().hex[:TYPED]
        messages: Messages = [
            {"role": "system", "content": AUTOCOMPLETE},
            {"role": "user", "content": f"Continue slowly, {ANSWER}: {typed}"},
        ]
        yield target.chat(messages)


def _abandon(request: Request) -> float:
    try:
        return abandon(request)
    except OSError as error:
        if "unsupported_parameter" in str(error):
            raise NotSupported("not supported") from error
        raise RowFailed(f"no answer: {error}") from error
