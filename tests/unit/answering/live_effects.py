"""The effect of each live setting on services that run, for `test_live_effects`.

An effect is observed from outside: requests that are admitted, rows that are deleted, processes that live.
"""

import logging
import time
from datetime import timedelta
from typing import Any

from gateway.accounts.states import Window
from gateway.answering.batches.anthropic_format import new_batch
from gateway.errors import LimitReached, QuotaExceeded
from gateway.store.activity import NewAction
from gateway.store.admin_models import RequestBody, RequestRow
from gateway.store.alert_models import AlertRow
from gateway.store.database import utc_now
from gateway.store.models import BatchRow, ConversationRow, FileRow, ResponseRow, Session
from gateway.store.project_models import ActivityRow
from gateway.turn import Usage
from tests.support.api_client import Body
from tests.support.processes import run_until
from tests.unit.answering.fakes import caller
from tests.unit.answering.live_fleet import (
    burst,
    count_processes,
    end_long_answer,
    keep_conversation,
    resolve,
    settle,
    start_silent_process,
    take_slots,
    wait_for_tools,
    wait_in_the_queue,
)
from tests.unit.answering.live_rig import NUMBERS, Effect, Rig, count_until


def count_requests(rig: Rig) -> int:
    client = rig.client()
    return count_until(lambda: rig.services.limits.count_request(client), LimitReached)


def count_answers_at_once(rig: Rig) -> int:
    client, held = rig.client(requests_per_minute=0), []
    admitted = count_until(lambda: held.append(rig.services.limits.admit_answer(client)), LimitReached)
    for admission in held:
        admission.release()
    return admitted


def is_refused_after_an_answer(rig: Rig) -> bool:
    client = rig.client()
    rig.services.limits.charge(client, Usage(output_tokens=10, cost_usd=1.0))
    try:
        rig.services.limits.check_budgets(client)
    except (LimitReached, QuotaExceeded):
        return True
    return False


def days_of(rig: Rig, model: Any) -> float:
    """Return the days until the newest row expires."""
    row = rig.services.store.read(model.select().order_by(model.created_at.desc()).first)
    return float(round((row.expires_at - utc_now()).total_seconds() / 86400, 4))


def store_response(rig: Rig) -> float:
    number = next(NUMBERS)
    body: Body = {"id": f"r{number}", "status": "queued", "previous_response_id": None, "output": []}
    rig.services.responses.add("me", body, [], is_background=True)
    rig.services.conversations.add("me", f"c{number}", {}, {})
    found = days_of(rig, ResponseRow)
    assert found == days_of(rig, ConversationRow)
    return found


def store_file(rig: Rig) -> float:
    rig.services.files.create("me", "a.txt", "user_data", "text/plain", b"a")
    return days_of(rig, FileRow)


def ask_for_approval(rig: Rig) -> float:
    call = f"call_{next(NUMBERS)}"
    rig.services.approvals.add("me", "p", call_id=call, kind="mcp", server="s", name="n", arguments={})
    asked = rig.services.approvals.find("me", call)
    assert asked is not None
    return round((asked.expires_at - asked.created_at).total_seconds())


def keep_session(rig: Rig) -> int:
    rig.services.sessions.create("me")
    rig.age(Session, 10 / 1440, "updated_at")
    return rig.sweep("sessions", Session)


def keep_action(rig: Rig) -> int:
    rig.services.activity.start(NewAction("p", "me", "r", f"c{next(NUMBERS)}", "Read", {}))
    rig.age(ActivityRow, 10)
    return rig.sweep("records of agents", ActivityRow)


def keep_batch(rig: Rig) -> int:
    rig.services.batch_jobs.create(new_batch(caller("me"), {}), [])
    ended = {"status": "completed", "ended_at": utc_now() - timedelta(days=10)}
    rig.services.store.write(lambda db: BatchRow.update(**ended).execute(db))
    return rig.sweep("batches", BatchRow)


def keep_alert(rig: Rig) -> int:
    use_budget(rig, 1.0)
    rig.age(AlertRow, 10)
    return rig.sweep("alerts", AlertRow)


def add_requests(rig: Rig, number: int) -> None:
    texts = dict.fromkeys(("request_id", "owner", "address", "client", "method", "path", "dialect"), "")
    row = {**texts, "created_at": utc_now(), "status": 200, "outcome": "complete", "seconds": 1.0}
    body = {
        "id": f"b{next(NUMBERS)}",
        "created_at": utc_now(),
        "request": "a",
        "answer": "b",
        "is_cut": False,
    }
    rig.services.store.write(lambda db: RequestRow.delete().execute(db))
    rig.services.store.write(lambda db: RequestBody.delete().execute(db))
    rig.services.requests.add([row] * number, [body])


def keep_request(rig: Rig) -> int:
    add_requests(rig, 1)
    rig.age(RequestRow, 10)
    return rig.sweep("requests", RequestRow)


def keep_requests(rig: Rig) -> int:
    add_requests(rig, 5)
    return rig.sweep("requests", RequestRow)


def keep_bodies(rig: Rig) -> int:
    add_requests(rig, 1)
    rig.age(RequestBody, 5)
    return rig.sweep("bodies", RequestBody)


def use_budget(rig: Rig, share: float) -> int:
    """Use a part of a new key's budget, and return the number of alerts about it."""
    watch, limits = rig.services.alerting.watch, rig.services.limits
    limits.on_use = watch.note_use
    rig.services.store.write(lambda db: AlertRow.delete().execute(db))
    limits.charge(rig.client(usd_per_day=1.0), Usage(output_tokens=1, cost_usd=share))
    watch.check(slowly=False)
    return len(rig.services.alerting.log.list_page(1, 100)[0])


def use_window(rig: Rig) -> int:
    """Use 85 % of a subscription's window, and return the number of alerts about it."""
    rig.services.store.write(lambda db: AlertRow.delete().execute(db))
    window = Window(0.85, time.time() + 1e6 * (1 + next(NUMBERS)))
    rig.services.accounts.record_windows("default", {"five_hour": window})
    rig.services.alerting.watch.check(slowly=False)
    return len(rig.services.alerting.log.list_page(1, 100)[0])


def fill_disk(rig: Rig) -> bool:
    """Return True if the disk counts as full."""
    rig.services.store.write(lambda db: AlertRow.delete().execute(db))
    rig.services.alerting.watch._known.clear()
    rig.services.alerting.watch.check()
    return bool(rig.services.alerting.log.list_page(1, 100)[0])


def count_running_items(rig: Rig) -> int:
    """Return the number of a batch's items that run at once."""
    runner = rig.services.batch_runner
    runner._has_spare_slot = lambda: True
    batch = rig.services.batch_jobs.create(
        new_batch(caller("me"), {}), [(str(one), "{}") for one in range(5)]
    )
    runner._look_for_work()
    running = runner.running_count
    run_until(lambda: not runner.running_count)
    rig.services.store.write(lambda db: BatchRow.delete().where(BatchRow.id == batch.id).execute(db))
    return running


def count_open_batches(rig: Rig) -> int:
    owner = caller(f"key_{next(NUMBERS)}")
    return count_until(lambda: rig.services.batch_jobs.create(new_batch(owner, {}), []), LimitReached)


EFFECTS: dict[str, Effect] = {
    "RATE_LIMIT_REQUESTS_PER_MINUTE": Effect(20, count_requests, 35, 25),
    "RATE_LIMIT_BURST": Effect(0, count_requests, 35, 30),
    "RATE_LIMIT_TOKENS_PER_MINUTE": Effect(5, is_refused_after_an_answer, False, True),
    "RATE_LIMIT_ANSWERS_AT_ONCE": Effect(3, count_answers_at_once, 8, 3),
    "MAX_KEY_SHARE_PERCENT": Effect(20, count_answers_at_once, 8, 2),
    "RATE_LIMIT_TOKENS_PER_DAY": Effect(5, is_refused_after_an_answer, False, True),
    "RATE_LIMIT_TOKENS_PER_MONTH": Effect(5, is_refused_after_an_answer, False, True),
    "RATE_LIMIT_USD_PER_DAY": Effect(0.5, is_refused_after_an_answer, False, True),
    "RATE_LIMIT_USD_PER_MONTH": Effect(0.5, is_refused_after_an_answer, False, True),
    "RESPONSES_TTL_DAYS": Effect(3, store_response, 30, 3),
    "SESSION_TIMEOUT_MINUTES": Effect(5, keep_session, 1, 0),
    "FILES_TTL_DAYS": Effect(3, store_file, 30, 3),
    "MAX_BATCH_ANSWERS": Effect(0, count_running_items, 2, 0),
    "MAX_BATCHES_IN_PROGRESS": Effect(1, count_open_batches, 20, 1),
    "BATCHES_TTL_DAYS": Effect(5, keep_batch, 1, 0),
    "AGENT_ACTIVITY_TTL_DAYS": Effect(5, keep_action, 1, 0),
    "ALERTS_TTL_DAYS": Effect(5, keep_alert, 2, 0),
    "REQUEST_LOG_DAYS": Effect(5, keep_request, 1, 0),
    "REQUEST_LOG_ROWS": Effect(3, keep_requests, 5, 3),
    "REQUEST_BODIES_DAYS": Effect(3, keep_bodies, 1, 0),
    "DEFAULT_MODEL": Effect("sonnet", resolve(None), "haiku", "sonnet"),
    "MODEL_PATTERNS": Effect("gpt-*=opus", resolve("gpt-4o"), "haiku", "opus"),
    "MAX_PROCESSES": Effect(3, count_processes, (5, 10), (3, 3), {"warm_processes": 5}),
    "WARM_PROCESSES": Effect(3, lambda rig: settle(rig, "warm"), 1, 3),
    "MAX_WARM_PROCESSES": Effect(2, burst, 3, 2, {"keep_seconds": 0.0}),
    "KEEP_SECONDS": Effect(0, keep_conversation, 1, 0),
    "MAX_CONCURRENT_SESSIONS": Effect(4, take_slots, (10, 20), (4, 20)),
    "MAX_QUEUED_REQUESTS": Effect(3, take_slots, (10, 20), (10, 3)),
    "MAX_QUEUED_MB": Effect(5, lambda rig: take_slots(rig, size=1_000_000)[1], 10, 5, {"max_queued_mb": 10}),
    "QUEUE_TIMEOUT_SECONDS": Effect(0.1, wait_in_the_queue, False, True),
    "START_TIMEOUT_SECONDS": Effect(0.1, start_silent_process, False, True),
    "TOOL_WAIT_SECONDS": Effect(0.1, wait_for_tools, 1, 0),
    "APPROVAL_WAIT_SECONDS": Effect(60, ask_for_approval, 3600, 60),
    "STREAMING_TIMEOUT_SECONDS": Effect(0.1, end_long_answer("HANGLATER"), False, True),
    "TURN_TIMEOUT_SECONDS": Effect(0.1, end_long_answer("ENDLESS"), False, True),
    "LOG_LEVEL": Effect(
        "DEBUG", lambda rig: logging.getLogger("gateway.claude").isEnabledFor(logging.DEBUG), False, True
    ),
    "ALERT_KINDS": Effect(["disk"], lambda rig: use_budget(rig, 1.0), 2, 0),
    "ALERT_BUDGET_PERCENTS": Effect("50,60,70", lambda rig: use_budget(rig, 0.85), 1, 3),
    "ALERT_WINDOW_PERCENTS": Effect(["90"], use_window, 1, 0),
    "ALERT_DISK_PERCENT": Effect(1, fill_disk, False, True, {"alert_disk_percent": 0}),
}
