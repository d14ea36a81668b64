"""Usage: every answer is a row, whatever becomes of it or of the database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import gevent
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from gateway.app import create_app
from gateway.commands import main
from gateway.errors import StoreError
from gateway.record import Record
from gateway.settings import Settings
from gateway.store import keys as keys_module
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.usage import UsageFigures, UsageTable, sum_figures
from gateway.store.usage_writer import UsageWriter
from gateway.turn import Usage as Tokens

NOON = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
DAY = NOON.date()
TOKENS = Tokens(1, 20, 300, 4000, 50, 0.25)
CONFIGURED = "a-configured-key"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path}", busy_seconds=0.01, pauses=())
    store.open()
    yield store
    store.close()


@pytest.fixture
def usage(store: Store) -> UsageTable:
    return UsageTable(store)


def answer(**fields: Any) -> Record:
    """A complete answer at noon."""
    known = {"started_at": NOON, "model": "haiku", "outcome": "complete", "usage": TOKENS, **fields}
    return Record(**{"request_id": "r", "endpoint": "/v1/chat/completions", **known})


def by_name(usage: UsageTable, by: Any, **options: Any) -> dict[str | None, UsageFigures]:
    return {group.name: group.figures for group in usage.sum_by(by, DAY, DAY, **options)}


# Rows and their sums


def test_figures_are_summed_by_kind(usage: UsageTable) -> None:
    usage.add_records(
        [answer(), answer(outcome="failed", error="timeout"), answer(outcome="cut", usage=Tokens())]
    )
    figures = UsageFigures(3, 1, 1, 2, 40, 600, 8000, 100, 0.5)
    assert by_name(usage, "day") == {"2026-05-04": figures}
    assert figures.total_tokens == 8642


def test_answers_are_grouped(usage: UsageTable) -> None:
    cheap = replace(TOKENS, cost_usd=0.1)
    usage.add_records(
        [answer(key_id="a", key_name="alice", project_id="p"), answer(key_id="b", model="opus", usage=cheap)]
    )
    for by, names in {"key": ["a", "b"], "model": ["haiku", "opus"], "project": ["p", None]}.items():
        groups = usage.sum_by(by, DAY, DAY)  # type: ignore[arg-type]
        assert [group.name for group in groups] == names  # in order of cost
        assert {group.key_name for group in groups} == ({"alice", None} if by == "key" else {None})
        assert sum_figures(groups).cost == pytest.approx(0.35)
    assert list(by_name(usage, "model", key_id="b")) == ["opus"]
    assert by_name(usage, "day", key_id="nobody") == {}


def test_days_are_utc_and_the_newest_first(usage: UsageTable) -> None:
    midnight = NOON.replace(hour=0)
    early = midnight.astimezone(timezone(timedelta(hours=-5)))
    moments = [early, midnight - timedelta(seconds=1), midnight + timedelta(days=1)]
    usage.add_records([answer(started_at=moment) for moment in moments])
    assert list(by_name(usage, "day")) == ["2026-05-04"]
    groups = usage.sum_by("day", DAY - timedelta(days=1), DAY + timedelta(days=1))
    assert [group.name for group in groups] == ["2026-05-05", "2026-05-04", "2026-05-03"]


def test_the_sums_of_a_key_are_in_step(store: Store, usage: UsageTable) -> None:
    keys = Keys(store)
    key, _ = keys.create("alice")
    usage.add_records([answer(key_id=key.id), answer(key_id=key.id), answer(key_id="env_x"), answer()])
    found = keys.get(key.id)
    assert (found.total_requests, found.total_tokens, found.total_cost) == (2, 8642, 0.5)
    assert found.last_used_at == NOON


def test_rows_and_sums_are_one_transaction(usage: UsageTable, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError

    monkeypatch.setattr(keys_module, "add_key_usage", fail)
    with pytest.raises(StoreError):
        usage.add_records([answer(key_id="a")])
    assert by_name(usage, "day") == {}


def test_recent_failures(usage: UsageTable) -> None:
    failed = answer(outcome="failed", error="timeout", key_id="a")
    late = answer(outcome="failed", error="overloaded", key_id="b", started_at=NOON + timedelta(hours=1))
    usage.add_records([late, failed, answer()])
    assert [failure.error for failure in usage.list_failures()] == ["overloaded", "timeout"]
    assert [failure.error for failure in usage.list_failures(1)] == ["overloaded"]
    assert [failure.error for failure in usage.list_failures(key_id="a")] == ["timeout"]


def test_half_an_emoji_in_a_name_is_no_obstacle(usage: UsageTable) -> None:
    usage.add_records([answer(model="claude-\ud83d")])
    assert list(by_name(usage, "model")) == ["claude-?"]


# The writer


def gevent_waits(condition: Callable[[], Any], timeout: float = 10.0) -> None:
    """As `wait_for`, for greenlets of this process."""
    with gevent.Timeout(timeout):
        while not condition():
            gevent.sleep(0.01)


@pytest.fixture
def writer(usage: UsageTable) -> Iterator[UsageWriter]:
    writer = UsageWriter(usage, max_waiting=5, pauses=(0.02,))
    yield writer
    writer.close()


@pytest.fixture
def locked(path: Path, store: Store) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield other


def test_records_are_written_soon(usage: UsageTable, writer: UsageWriter) -> None:
    for _ in range(3):
        writer.put(answer())
    gevent_waits(lambda: by_name(usage, "day"))
    assert by_name(usage, "day")["2026-05-04"].requests == 3
    assert len(writer) == 0


def test_records_wait_for_a_locked_database(
    usage: UsageTable, writer: UsageWriter, locked: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    writer.put(answer(model="first"))
    gevent_waits(lambda: "usage cannot be written" in caplog.text)
    writer.put(answer(model="second"))
    gevent.sleep(0.1)
    assert len(writer) == 2
    locked.execute("rollback")
    gevent_waits(lambda: "usage is written again" in caplog.text)
    assert by_name(usage, "model").keys() == {"first", "second"}
    assert caplog.text.count("usage cannot be written") == 1


def test_the_oldest_of_too_many_goes_to_the_log(
    writer: UsageWriter, locked: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        writer.put(answer(request_id=f"r{number}"))
    assert len(writer) == 5
    (lost,) = [record for record in caplog.records if "not in the database" in record.message]
    assert vars(lost)["request_id"] == "r0"


def test_what_is_left_at_the_end_goes_to_the_log(
    usage: UsageTable, locked: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    writer = UsageWriter(usage)
    writer.put(answer(key_id="a"))
    gevent_waits(lambda: "usage cannot be written" in caplog.text)
    writer.close()
    (lost,) = [vars(record) for record in caplog.records if "not in the database" in record.message]
    assert (lost["key_id"], lost["output_tokens"], lost["cost_usd"]) == ("a", 4000, 0.25)


def test_the_end_writes_what_waits(usage: UsageTable) -> None:
    writer = UsageWriter(usage)
    for _ in range(250):
        writer.put(answer())
    writer.close()
    assert by_name(usage, "day")["2026-05-04"].requests == 250


# GET /v1/usage


@pytest.fixture
def database_url(path: Path) -> str:
    return f"sqlite:///{path}"


def client_of(url: str, **settings: Any) -> tuple[FlaskClient, UsageTable, Keys]:
    app = create_app(Settings(database_url=url, **settings))
    return app.test_client(), app.extensions["usage"], app.extensions["keys"]


def today(**fields: Any) -> Record:
    return answer(**{"started_at": datetime.now(timezone.utc), **fields})


def get(client: FlaskClient, query: str = "", key: str = "") -> Any:
    headers = {"x-api-key": key} if key else {}
    found = client.get(f"/v1/usage?{query}", headers=headers)
    assert found.status_code == 200, found.text
    return found.json


def test_a_key_sees_itself_and_an_admin_all(database_url: str) -> None:
    client, usage, keys = client_of(database_url, require_auth=True, api_keys=(CONFIGURED,))
    alice, alices = keys.create("alice")
    admin, admins = keys.create("boss", is_admin=True)
    client.get("/v1/models", headers={"x-api-key": CONFIGURED})
    usage.add_records(
        [today(key_id=alice.id, key_name="alice"), today(key_id=admin.id), today(key_id="env_other")]
    )

    def seen(key: str) -> set[str]:
        return {row["key_id"] for row in get(client, "group_by=key", key)["data"]}

    assert seen(alices) == {alice.id}
    assert seen(CONFIGURED) == set()
    assert seen(admins) == {alice.id, admin.id, "env_other"}
    assert get(client, "", alices)["totals"]["requests"] == 1
    assert client.get("/v1/usage").status_code == 401


def test_the_answer(database_url: str) -> None:
    client, usage, _ = client_of(database_url)
    usage.add_records([today(), today(model="opus", outcome="failed", usage=Tokens())])
    found = get(client, "group_by=model&per_page=1&page=2")
    now = datetime.now(timezone.utc).date()
    assert (found["object"], found["group_by"]) == ("usage", "model")
    assert (found["from"], found["to"]) == (str(now - timedelta(days=29)), str(now))
    assert [row["model"] for row in found["data"]] == ["opus"]
    assert "day" not in found["data"][0]
    assert found["totals"] == {
        "requests": 2,
        "failed": 1,
        "cut": 0,
        "input_tokens": 1,
        "cache_read_tokens": 20,
        "cache_write_tokens": 300,
        "output_tokens": 4000,
        "thinking_tokens": 50,
        "total_tokens": 4321,
        "cost": 0.25,
    }
    assert found["pagination"] == {
        "page": 2,
        "per_page": 1,
        "total_items": 2,
        "total_pages": 2,
        "has_next": False,
        "has_prev": True,
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1),
        ("from=2026-05-04&to=2026-05-04", 1),
        ("from=2026-05-05&to=2026-05-05", 0),
        ("to=2026-05-04", 1),
    ],
)
def test_a_span_of_days(database_url: str, query: str, count: int) -> None:
    client, usage, _ = client_of(database_url)
    usage.add_records([today() if not query else answer()])
    assert get(client, query)["totals"]["requests"] == count


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("group_by=week", "group_by"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-05-04&to=2026-05-03", "to"),
        ("page=0", "page"),
        ("page=x", "page"),
        ("per_page=1001", "per_page"),
    ],
)
def test_a_wrong_parameter_is_named(database_url: str, query: str, param: str) -> None:
    client, _, _ = client_of(database_url)
    refused = client.get(f"/v1/usage?{query}")
    assert refused.status_code == 400
    assert refused.json["error"]["param"] == param  # type: ignore[index]


# On the command line


def test_the_table_on_the_command_line(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, usage, _ = client_of(database_url)
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str) -> list[str]:
        result = CliRunner().invoke(main, ["usage", *arguments])
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    assert run() == ["There is no usage."]
    long_ago = today(started_at=datetime.now(timezone.utc) - timedelta(days=3))
    usage.add_records(
        [today(key_id="a", key_name="alice"), today(key_id="a", key_name="alice"), today(), long_ago]
    )
    heading, alice, nobody, sums = run("--by", "key", "--days", "2")
    assert heading.split()[:2] == ["KEY", "REQUESTS"]
    assert re.fullmatch(r"a \(alice\) +2 +0 +0 +2 +40 +600 +8,000 +\$0\.50", alice)
    assert (nobody.split()[:2], sums.split()[:2]) == (["-", "1"], ["TOTAL", "3"])
    assert len({len(line) for line in (heading, alice, nobody, sums)}) == 1
    assert len(run()) == 4  # two days
    assert CliRunner().invoke(main, ["usage", "--days", "0"]).exit_code == 2
