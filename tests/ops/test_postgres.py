"""The store on PostgreSQL, which several machines can share. Skipped unless PostgreSQL is installed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from gateway.answering.batches import openai_format
from gateway.answering.batches.jobs import BatchJobs
from gateway.answering.caller import Caller
from gateway.command_line.group import main
from gateway.errors import ConversationLocked, FileQuotaExceeded, KeyNotFound, StoreError, TeamHasKeys
from gateway.record import GROUPS, Record
from gateway.settings import Settings
from gateway.store.audit import COMMAND_LINE, AuditLog, AuditQuery
from gateway.store.batch_items import BatchItems
from gateway.store.batches import Batches
from gateway.store.conversations import Conversations
from gateway.store.database import MIGRATIONS, Store
from gateway.store.files import FileLimits, FileQuery, Files
from gateway.store.inventory import KINDS, Inventory
from gateway.store.keys import Keys
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.limits.leases import DatabaseLeases
from gateway.store.models import ApiKey
from gateway.store.request_log import RequestQuery, RequestTable
from gateway.store.runtime_settings import RuntimeSettings
from gateway.store.sessions import SessionExpiry, Sessions
from gateway.store.teams import Teams
from gateway.store.usage import UsageTable
from gateway.turn import Usage as Tokens
from tests.support import postgres
from tests.support.batches import chat_line
from tests.support.gateway import ROOT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import free_port

MIGRATE = "import sys; from gateway.store.database import Store; Store(sys.argv[1]).open()"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres.run_server(programs) as server:
        yield server


@pytest.fixture
def store(server: postgres.Server) -> Iterator[Store]:
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("drop schema public cascade; create schema public")
    store = Store(server.url)
    store.open()
    yield store
    store.close()


@pytest.fixture
def keys(store: Store) -> Keys:
    return Keys(store)


def test_several_processes_may_migrate_at_once(server: postgres.Server, store: Store) -> None:
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("drop schema public cascade; create schema public")
    command = [sys.executable, "-c", MIGRATE, server.url]
    started = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    with psycopg.connect(server.url) as db:
        applied = {name for (name,) in db.execute("select name from schema_migration")}
    assert applied == {path.stem for path in MIGRATIONS.glob("0*.py")}


def test_key_can_be_created_found_rotated_and_revoked(keys: Keys) -> None:
    key, plain = keys.create("one", is_admin=True, allowed_models=["haiku"], limits={"requests": 5})
    assert keys.find(plain) == keys.get(key.id) == key
    rotated, new = keys.rotate(key.id)
    assert keys.find(plain) is None
    assert keys.find(new) == rotated
    assert keys.list() == [rotated]
    keys.revoke(key.id)
    assert keys.find(new) is None
    with pytest.raises(KeyNotFound):
        keys.get("key_unknown")


def record(key_id: str, tokens: int, model: str = "m") -> Record:
    now = datetime.now(timezone.utc)
    return Record("", "", now, model, key_id=key_id, usage=Tokens(output_tokens=tokens, cost_usd=0.5))


def test_concurrent_writes_of_usage_all_count(server: postgres.Server, keys: Keys) -> None:
    key, _ = keys.create("shared")
    stores = [Store(server.url) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda i: UsageTable(stores[i % 2]).add_records([record(key.id, 3_000_000_000)]), range(100)
            )
        )
    found = keys.get(key.id)
    assert (found.total_requests, found.total_tokens, found.total_cost) == (100, 300_000_000_000, 50.0)
    today = datetime.now(timezone.utc).date()
    for group_by in GROUPS:
        (group,) = UsageTable(stores[0]).sum_by(group_by, today - timedelta(1), today)
        assert (group.figures.requests, repr(group.figures.output_tokens)) == (100, "300000000000")
    for store in stores:
        store.close()


def test_characters_that_postgresql_rejects_are_replaced(store: Store, keys: Keys) -> None:
    key, _ = keys.create("one")
    UsageTable(store).add_records([record(key.id, 1, "claude-\0-\udc00")])
    assert keys.get(key.id).total_requests == 1


def test_restart_of_the_server_is_survived(server: postgres.Server, store: Store, keys: Keys) -> None:
    key, plain = keys.create("one")
    server.restart()
    assert keys.find(plain) == key
    server.restart()
    UsageTable(store).add_records([record(key.id, 1)])
    assert keys.get(key.id).total_requests == 1


def test_limits_and_leases_are_exact(server: postgres.Server, store: Store) -> None:
    storage = DatabaseCounters(store=store)
    with ThreadPoolExecutor(8) as pool:
        let_in = list(pool.map(lambda _: storage.acquire_sliding_window_entry("k", 30, 60), range(80)))
    assert sum(let_in) == 30
    assert [storage.incr("w", 60, 2), storage.incr("w", 60), storage.get("w")] == [2, 3, 3]
    leases = DatabaseLeases(store)
    with ThreadPoolExecutor(8) as pool:
        acquired = list(pool.map(lambda i: leases.acquire("me", str(i), 5, 60), range(20)))
    assert sum(map(bool, acquired)) == 5


def test_failed_transaction_is_rolled_back(store: Store, keys: Keys) -> None:
    def work(db: Any) -> None:
        ApiKey.delete().execute(db)
        raise KeyNotFound

    keys.create("stays")
    with pytest.raises(KeyNotFound):
        store.write(work)
    assert [key.name for key in keys.list()] == ["stays"]


def test_unreachable_server_is_a_503() -> None:
    with pytest.raises(StoreError) as error:
        Store("postgresql://u:secret@127.0.0.1:1/none", pauses=()).open()
    assert (error.value.status, "secret" in str(error.value)) == (503, False)


UNSUPPORTED_TEXT = "a\0b\ud800"


@pytest.fixture
def gateway(
    server: postgres.Server, keys: Keys, start_gateway: Callable[..., Gateway], tmp_path: Path
) -> Gateway:
    """Return a gateway with two workers, and a client whose key has every kind of limit."""
    limits = {"answers_at_once": 2, "tokens_per_minute": 10**6, "tokens_per_day": 10**6, "usd_per_month": 9.5}
    _, plain = keys.create("client", limits=limits)
    cli = ScriptedCli(tmp_path)
    settings = {"REQUIRE_AUTH": "true", "WEB_CONCURRENCY": "2", "DATABASE_URL": server.url}
    gateway = start_gateway(**cli.environ, **settings)
    assert gateway.api.chat().status_code == 401
    gateway.api.headers["authorization"] = f"Bearer {plain}"
    return gateway


def test_gateway_serves_from_postgresql(server: postgres.Server, gateway: Gateway) -> None:
    def ask(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = gateway.api.request(
            method, path, content=json.dumps(body)
        )  # json.dumps escapes lone surrogates
        assert response.status_code == status, (method, path, response.text)
        return response.json()

    project = ask("POST", "/v1/projects", {"name": UNSUPPORTED_TEXT, "description": UNSUPPORTED_TEXT})["id"]
    assert ask("GET", "/v1/projects")["data"][0]["name"] == "a?b?"
    session = ask(
        "POST",
        "/v1/sessions",
        {"title": UNSUPPORTED_TEXT, "system_prompt": UNSUPPORTED_TEXT, "project_id": project},
    )["id"]
    chat = {"messages": [{"role": "user", "content": UNSUPPORTED_TEXT}], "session_id": session}
    for _ in range(2):
        assert ask("POST", "/v1/chat/completions", chat)["session_id"] == session
    shown = ask("GET", f"/v1/sessions/{session}")
    assert (shown["title"], shown["message_count"], len(shown["messages"])) == ("a?b?", 4, 4)
    assert ask("GET", "/v1/sessions/stats")["session_stats"]["total_messages"] == 4
    for field, value in (("session_id", f"sess_{UNSUPPORTED_TEXT}"), ("project_id", UNSUPPORTED_TEXT)):
        ask("POST", "/v1/chat/completions", {**chat, field: value}, 404)

    item = {"id": UNSUPPORTED_TEXT, "type": "message", "role": "user", "content": UNSUPPORTED_TEXT}
    response = ask("POST", "/v1/responses", {"input": [item], "metadata": {"a": UNSUPPORTED_TEXT}})["id"]
    ask("POST", "/v1/responses", {"input": "hi", "previous_response_id": response})
    ask("POST", "/v1/responses", {"input": "hi", "previous_response_id": UNSUPPORTED_TEXT}, 400)
    assert ask("GET", f"/v1/responses/{response}/input_items")["data"][0]["id"] == UNSUPPORTED_TEXT
    running = ask("POST", "/v1/responses", {"input": "HANGLATER", "background": True})["id"]
    assert ask("POST", f"/v1/responses/{running}/cancel", {})["status"] == "cancelled"

    wait_for(lambda: ask("GET", "/v1/usage")["totals"]["requests"] == 5)
    for group in GROUPS:
        figures = ask("GET", f"/v1/usage?group_by={group}")
        assert [sum(row[name] for row in figures["data"]) for name in ("requests", "cut")] == [5, 1]
    ask("DELETE", f"/v1/projects/{project}")
    ask("GET", f"/v1/sessions/{session}", status=404)
    server.restart()
    ask("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]})


def test_files_are_written_read_and_limited(store: Store) -> None:
    files = Files(store, FileLimits(max_bytes=900_000, max_total_bytes=1_000_000, ttl=timedelta(days=1)))
    content = bytes(range(256)) * 3000
    stored = files.create("me", "a.bin", "user_data", "application/octet-stream", content)
    assert b"".join(files.read("me", stored.id)) == content
    with pytest.raises(FileQuotaExceeded):
        files.create("me", "b.bin", "user_data", "application/octet-stream", content)
    assert files.list_page("me", FileQuery(purpose="user_data")).files == (stored,)
    files.delete("me", stored.id)
    assert files.list_page("me", FileQuery()).files == ()


def test_conversations_are_claimed_listed_and_continued(store: Store) -> None:
    conversations = Conversations(store, timedelta(days=1))
    conversations.add("me", "c", {}, {"a": {"id": "a"}, "b": {"id": "b"}})
    conversations.claim("me", "c", "answer", conversations.load("me", "c").version)
    with pytest.raises(ConversationLocked):
        conversations.add_items("me", "c", {"x": {}})
    assert conversations.append("me", "c", "answer", {"d": {"id": "d"}})
    page = conversations.list_items("me", "c", limit=2, is_ascending=False)
    assert (page.items, page.has_more) == (({"id": "d"}, {"id": "b"}), True)
    assert conversations.find_by_item("me", "d") == ("c", True)
    conversations.delete("me", "c")
    assert not conversations.find_items("me", ["a"])


def test_batch_is_validated_answered_once_by_several_workers_and_finished(
    server: postgres.Server, store: Store
) -> None:
    files = Files(store, FileLimits(1_000_000, 1_000_000, timedelta(days=1)))
    batches, items = Batches(store), BatchItems(store)
    jobs = BatchJobs(batches, items, files, Settings())
    lines = [json.dumps(chat_line(str(number))).encode() + b"\n" for number in range(40)]
    file = files.create("me", "in.jsonl", "batch", "application/jsonl", lines)
    body = {"input_file_id": file.id, "endpoint": "/v1/chat/completions"}
    batch = jobs.create(openai_format.new_batch(body, Caller(None, "me", "", "", "req_1")))
    jobs.advance(batch)

    def answer_all(_: int) -> int:
        own = Store(server.url)
        mine, count = BatchItems(own), 0
        while (item := mine.claim(batch.id)) is not None:
            count += mine.record(item, "succeeded", json.dumps(item.custom_id), Tokens(output_tokens=1))
        own.close()
        return count

    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(answer_all, range(3))) == 40
    jobs.advance(batches.get("me", "openai", batch.id))
    ended = batches.get("me", "openai", batch.id)
    assert (ended.status, ended.succeeded, ended.output_tokens) == ("completed", 40, 40)
    content = b"".join(files.read("me", str(ended.output_file_id)))
    assert [json.loads(line) for line in content.splitlines()] == [str(number) for number in range(40)]
    assert [one.id for one in batches.list_page("me", "openai", 10).batches] == [batch.id]


def test_backup_moves_the_present_tables_aside_and_brings_its_own_back(
    server: postgres.Server, store: Store, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = postgres.find_programs()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name, value in {
        "DATABASE_URL": server.url,
        "PORT": str(free_port()),
        "PROJECT_ROOT": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    keys.create("alice")
    archive = tmp_path.with_suffix(".tar.gz")
    saved = CliRunner().invoke(main, ["backup", str(archive), "--no-projects"])
    assert saved.exit_code == 0, saved.output
    keys.create("later")
    refused = CliRunner().invoke(main, ["restore", str(archive)])
    assert "connection(s) of other programs" in refused.output
    store.close()
    restored = CliRunner().invoke(main, ["restore", str(archive)])
    assert restored.exit_code == 0, restored.output
    assert [key.name for key in keys.list()] == ["alice"]
    keys.create("bob")  # sequences and constraints are there, too
    former = re.findall(r"the schema (gateway_before_\w+) of", restored.output)
    with psycopg.connect(server.url) as db:
        assert db.execute(f"select name from {former[0]}.api_keys order by name").fetchall() == [
            ("alice",),
            ("later",),
        ]


def test_requests_teams_and_stored_data_are_listed(store: Store) -> None:
    """SQLite has other rules for text, booleans and sums; the lists must have the same rows."""
    teams, keys, table = Teams(store), Keys(store), RequestTable(store)
    team = teams.create("web", limits={"usd_per_day": 5})
    key, secret = keys.create("alice", team_id=team.id)
    found = keys.find(secret)
    assert found is not None
    assert (found.team_limits, [one.keys for one in teams.list()]) == ({"usd_per_day": 5}, [1])
    now = datetime.now(timezone.utc)
    rows = [
        {
            "created_at": now - timedelta(seconds=number),
            "request_id": f"req_{number}",
            "owner": key.id,
            "key_id": key.id,
            "key_name": "alice",
            "address": "",
            "client": "",
            "method": "POST",
            "path": "/v1/messages",
            "dialect": "messages",
            "status": 200 + 300 * (number % 2),
            "outcome": "failed" if number % 2 else "complete",
            "seconds": number / 10,
            "repaired": ",tool_pairs,",
            "process": "kept",
        }
        for number in range(30)
    ]
    table.add(rows)
    queries = (
        RequestQuery(has_error=True),
        RequestQuery(status="5xx"),
        RequestQuery(words="ALICE"),
        RequestQuery(process="warm"),
        RequestQuery(repaired="tool_pairs", min_seconds=2.0),
        RequestQuery(since=now - timedelta(seconds=4)),
    )
    assert [len(table.list_page(query).rows) for query in queries] == [15, 15, 30, 0, 10, 5]
    first = table.list_page(RequestQuery(limit=20))
    second = table.list_page(RequestQuery(limit=20, cursor=first.next_cursor))
    ids = [row.request_id for row in (*first.rows, *second.rows)]
    assert (ids, second.next_cursor) == ([f"req_{number}" for number in range(30)], None)
    assert table.find_last_id() == table.find("req_29").id  # type: ignore[union-attr]
    inventory = Inventory(store, SessionExpiry(timedelta(hours=1)))
    Sessions(store, SessionExpiry(None)).create(key.id, title="Garden")
    assert {kind: inventory.list_page(kind, key.id, 1, 10)[1] for kind in KINDS} == {
        "sessions": 1,
        "projects": 0,
        "files": 0,
        "batches": 0,
    }
    with pytest.raises(TeamHasKeys):
        teams.delete(team.id)
    keys.revoke(key.id)
    teams.delete(team.id)
    entries = AuditLog(store).list_page(AuditQuery(action="team")).entries
    assert [entry.action for entry in entries] == ["team.delete", "team.create"]
    changes = RuntimeSettings(store)
    for value in ("60", "30"):
        changes.change("KEEP_SECONDS", value, COMMAND_LINE)
    assert [change.value for change in changes.load().values()] == ["30"]
    assert [changes.reset("KEEP_SECONDS", COMMAND_LINE) for _ in range(2)] == [True, False]
