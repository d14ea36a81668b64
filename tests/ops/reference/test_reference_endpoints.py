"""The contract of claude-code-api, whose successor this is: endpoints, fields, codes, settings, models and tables.

What is here is what no other test has. The faults of the reference that are mended here are in docs/reference.md, each
with its tests.
"""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from gateway.claude.catalog import ModelCatalog
from gateway.settings import Settings
from gateway.store.database import Store
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway, wait_for
from tests.support.recorded import Body
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, hanging_up

CHAT = "/v1/chat/completions"
ASK: Body = {"messages": [{"role": "user", "content": "hi"}]}
HAIKU = "claude-haiku-4-5-20251001"
OPUS, EARLIER_OPUS = "claude-opus-4-6-20260205", "claude-opus-4-5-20251101"
ORIGIN = "https://app.example"
SECRET = "sk-ant-of-the-settings"
KEYS = [f"key-number-{number:03}" for number in range(200)]
REQUESTS, BURST = 20, 5
MOST_LOG, BACKUPS = 20_000, 2

# `models.json` as the reference has it: no word of fallbacks.
MODELS: Body = {
    "default_model": OPUS,
    "aliases": {"opus": OPUS, "haiku": HAIKU, "claude-opus-latest": OPUS, "mine": HAIKU},
    "models": [
        {
            "id": name,
            "name": name.title(),
            "description": "A model",
            "max_tokens": 65536,
            "input_cost_per_1k": 0.005,
            "output_cost_per_1k": 0.025,
            "supports_streaming": True,
            "supports_tools": True,
        }
        for name in ("claude-opus-4-5-20250901", OPUS, EARLIER_OPUS, HAIKU)
    ],
}


class Client:
    """Somebody with a key of the settings, who has sent nothing yet."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self.gateway = gateway
        self.key = key

    def call(self, method: str, url: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return self.gateway.api.request(method, url, headers=headers, **options)

    def json(self, method: str, url: str, body: Any = None) -> Any:
        answer = self.call(method, url, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> ScriptedCli:
    return ScriptedCli(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module")
def _gateway(cli: ScriptedCli) -> Iterator[Gateway]:
    """Set up by a file in the reference's way, wherever its settings can be seen over HTTP."""
    models, file = cli.home / "models.json", cli.home / "reference.env"
    models.write_text(json.dumps(MODELS))
    settings = {
        "REQUIRE_AUTH": "true",
        "API_KEYS": ",".join(KEYS),
        "CLAUDE_API_KEY": SECRET,
        "CLAUDE_BINARY_PATH": str(cli.path),
        "CLAUDE_CODE_API_MODELS_PATH": str(models),
        "DEFAULT_MODEL": "mine",
        "MAX_CONCURRENT_SESSIONS": "5",
        "MAX_PROJECT_SIZE_MB": "1",
        "ALLOWED_ORIGINS": json.dumps([ORIGIN, "https://b.example"]),
        "RATE_LIMIT_BURST": str(BURST),
        "STREAMING_TIMEOUT_SECONDS": "2",
        "LOG_FILE_PATH": str(cli.home / "file.log"),
        "LOG_MAX_BYTES": str(MOST_LOG),
        "LOG_BACKUP_COUNT": str(BACKUPS),
        **NOTHING_KEPT,
    }
    file.write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    environ = {"CLAUDE_CODE_API_ENV_FILE": str(file), "LOG_FORMAT": "json", "HOME": str(cli.home)}
    environ |= {"RATE_LIMIT_REQUESTS_PER_MINUTE": str(REQUESTS), "PROJECT_ROOT": str(cli.home / "projects")}
    gateway = Gateway(environ)
    gateway.await_warm(1)
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def _keys() -> Iterator[str]:
    return itertools.chain(KEYS)


@pytest.fixture
def client(_gateway: Gateway, _keys: Iterator[str]) -> Client:
    return Client(_gateway, next(_keys))


def fits(found: Any, shape: Any, where: str = "") -> None:
    """Whether the fields that the reference has are there, of their types; None stands for a string or null."""
    if isinstance(shape, dict):
        assert isinstance(found, dict), (where, found)
        assert found.keys() >= shape.keys(), where
        for name, inner in shape.items():
            fits(found[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(found, list), (where, found)
        for item in found:
            fits(item, shape[0], f"{where}[]")
    elif shape is None:
        assert found is None or isinstance(found, str), (where, found)
    else:
        assert isinstance(found, shape), (where, found)
        assert shape is bool or not isinstance(found, bool), (where, found)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error of the reference's shape."""
    fits(answer.json(), {"error": {"message": str, "type": str, "code": str}})
    return answer.status_code, answer.json()["error"]["code"]


# Endpoints and their fields

MODEL = {"id": str, "object": str, "created": int, "owned_by": str}
PRICING = {
    "input_cost_per_1k_tokens": float,
    "output_cost_per_1k_tokens": float,
    "currency": str,
}
CAPABILITIES = {
    "id": str,
    "name": str,
    "description": str,
    "max_tokens": int,
    "supports_streaming": bool,
    "supports_tools": bool,
    "pricing": PRICING,
    "features": [str],
}
PAGINATION = {
    "page": int,
    "per_page": int,
    "total_items": int,
    "total_pages": int,
    "has_next": bool,
    "has_prev": bool,
}
PROJECT = {
    "id": str,
    "name": str,
    "description": None,
    "path": str,
    "created_at": str,
    "updated_at": str,
    "is_active": bool,
}
FIGURES = {
    "project_id": None,
    "model": None,
    "created_at": str,
    "updated_at": str,
    "total_tokens": int,
    "total_cost": float,
    "message_count": int,
}
SESSION = {"id": str, "title": None, "system_prompt": None, "is_active": bool, **FIGURES}
STATS = {
    "session_stats": {
        "active_sessions": int,
        "total_tokens": int,
        "total_cost": float,
        "total_messages": int,
        "models_in_use": [str],
    },
    "active_claude_sessions": int,
    "claude_sessions": [str],
}
GETS: dict[str, Any] = {
    "/": {"name": str, "version": str, "description": str, "endpoints": dict},
    "/health": {"status": str, "version": str, "claude_version": str, "active_sessions": int},
    "/openapi.json": {"openapi": str, "info": dict, "paths": dict},
    "/v1/models": {"object": str, "data": [MODEL]},
    f"/v1/models/{HAIKU}": MODEL,
    "/v1/models/mine": MODEL,
    "/v1/models/capabilities": {
        "models": [CAPABILITIES],
        "total": int,
        "provider": str,
        "adapter": str,
    },
    "/v1/projects?page=1&per_page=5": {"data": [PROJECT], "pagination": PAGINATION},
    "/v1/sessions?page=1&per_page=5&project_id=x": {"data": [SESSION], "pagination": PAGINATION},
    "/v1/sessions/stats": STATS,
}


@pytest.mark.parametrize("url", GETS)
def test_what_can_be_looked_at_has_its_fields(client: Client, url: str) -> None:
    fits(client.json("GET", url), GETS[url])


def test_every_field_is_in_the_table() -> None:
    table = (ROOT / "docs/api.md").read_text("utf-8").partition("## Fields")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(\w+)`", table))
    described = [shape for url, shape in GETS.items() if url != "/openapi.json"]
    assert {name for shape in described for name in names(shape)} <= listed
    assert {*PROJECT, *SESSION, "session_id", "is_running"} <= listed


def names(shape: Any) -> Iterator[str]:
    """All names in a shape."""
    if isinstance(shape, list):
        yield from names(shape[0])
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            yield name
            yield from names(inner)


def test_the_root_names_every_family(client: Client) -> None:
    named = client.json("GET", "/")["endpoints"].values()
    paths = client.json("GET", "/openapi.json")["paths"]
    families = {"/".join(path.split("/")[:3]) for path in paths} - {"/"}
    assert {"/".join(url.split("/")[:3]) for url in named} | {"/redoc"} >= families


def test_capabilities_are_those_of_the_file(client: Client) -> None:
    found = {entry["id"]: entry for entry in client.json("GET", "/v1/models/capabilities")["models"]}
    for model in MODELS["models"]:
        entry = found[model["id"]]
        assert {name: entry[name] for name in ("name", "description", "max_tokens")}.items() <= model.items()
        assert entry["pricing"]["output_cost_per_1k_tokens"] == model["output_cost_per_1k"]


def test_the_life_of_a_project(client: Client) -> None:
    body = {"name": "Notes", "description": "Mine", "path": f"notes-{client.key}"}
    made = client.json("POST", "/v1/projects", body)
    fits(made, PROJECT)
    assert {name: made[name] for name in body} == body
    page = client.json("GET", "/v1/projects?page=1&per_page=1")
    assert page["data"] == [client.json("GET", f"/v1/projects/{made['id']}")] == [made]
    answer = client.json("POST", CHAT, {**ASK, "project_id": made["id"]})
    assert answer["project_id"] == made["id"]
    deleted = client.json("DELETE", f"/v1/projects/{made['id']}")
    assert deleted == {"project_id": made["id"], "status": "deleted"}
    assert refusal(client.call("GET", f"/v1/projects/{made['id']}")) == (404, "project_not_found")


def test_the_life_of_a_session(client: Client) -> None:
    project = client.json("POST", "/v1/projects", {"name": "x"})["id"]
    body = {"project_id": project, "title": "Talk", "model": HAIKU, "system_prompt": "Be brief."}
    made = client.json("POST", "/v1/sessions", body)
    fits(made, SESSION)
    assert made.items() >= {**body, "is_active": True, "total_tokens": 0, "message_count": 0}.items()
    answer = client.json("POST", CHAT, {**ASK, "session_id": made["id"]})
    assert (answer["session_id"], answer["project_id"]) == (made["id"], project)
    told = client.json("GET", f"{CHAT}/{made['id']}/status")
    fits(told, {"session_id": str, "is_running": bool, **FIGURES})
    assert (told["session_id"], told["is_running"], told["message_count"]) == (made["id"], False, 2)
    assert told["total_tokens"] == answer["usage"]["total_tokens"] > 0
    shown = client.json("GET", f"/v1/sessions/{made['id']}")
    fits(shown, SESSION)
    assert shown["total_cost"] == told["total_cost"] > 0
    assert [one["id"] for one in client.json("GET", f"/v1/sessions?project_id={project}")["data"]] == [
        made["id"]
    ]
    fits(client.json("GET", "/v1/sessions/stats"), STATS)
    assert client.json("DELETE", f"{CHAT}/{made['id']}") == {"session_id": made["id"], "status": "stopped"}
    deleted = client.json("DELETE", f"/v1/sessions/{made['id']}")
    assert deleted == {"session_id": made["id"], "status": "deleted"}


def test_an_answer_has_what_the_reference_s_has(client: Client) -> None:
    body = {**ASK, "system_prompt": "Be brief."}
    body["messages"] = [{"role": "developer", "content": "Speak English."}, *body["messages"]]
    answer = client.json("POST", CHAT, body)
    shape = {
        "id": str,
        "object": str,
        "created": int,
        "model": str,
        "choices": [{"index": int, "message": {"role": str, "content": str}, "finish_reason": str}],
        "usage": {"prompt_tokens": int, "completion_tokens": int, "total_tokens": int},
        "session_id": str,
        "project_id": None,
    }
    fits(answer, shape)
    assert answer["choices"][0]["message"]["content"] == "You said: hi"


def test_a_stream_has_the_reference_s_headers(client: Client) -> None:
    project = client.json("POST", "/v1/projects", {"name": "x"})["id"]
    answer = client.call("POST", CHAT, json={**ASK, "stream": True, "project_id": project})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-project-id"] == project
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    url = f"{CHAT}/{answer.headers['x-session-id']}/status"
    wait_for(
        lambda: client.call("GET", url).status_code == 200
    )  # sessions that are not stored come a moment later
    assert client.json("GET", url)["project_id"] == project
    assert answer.text.endswith("data: [DONE]\n\n")


def test_debug_says_what_is_wrong(client: Client) -> None:
    assert client.json("POST", f"{CHAT}/debug", ASK).items() >= {"valid": True, "model": HAIKU}.items()
    found = client.json("POST", f"{CHAT}/debug", {"messages": [], "n": 0})
    assert found["valid"] is False
    assert {error["param"] for error in found["errors"]} == {"messages", "n"}


# Errors

REFUSALS: list[tuple[str, str, Any, tuple[int, str]]] = [
    ("POST", CHAT, {}, (400, "missing_messages")),
    ("POST", CHAT, {"messages": [{"role": "system", "content": "x"}]}, (400, "missing_user_message")),
    ("POST", CHAT, {**ASK, "model": "gpt-4o"}, (400, "model_not_supported")),
    ("POST", CHAT, {**ASK, "temperature": "warm"}, (400, "invalid_request")),
    ("POST", CHAT, {**ASK, "session_id": "sess_x"}, (404, "session_not_found")),
    ("POST", CHAT, {**ASK, "project_id": "proj_x"}, (404, "project_not_found")),
    ("GET", f"{CHAT}/sess_x/status", None, (404, "session_not_found")),
    ("DELETE", f"{CHAT}/sess_x", None, (404, "session_not_found")),
    ("GET", "/v1/models/gpt-4o", None, (404, "model_not_found")),
    ("GET", "/v1/projects/proj_x", None, (404, "project_not_found")),
    ("DELETE", "/v1/projects/proj_x", None, (404, "project_not_found")),
    ("POST", "/v1/projects", {}, (400, "invalid_request")),
    ("GET", "/v1/sessions/sess_x", None, (404, "session_not_found")),
    ("DELETE", "/v1/sessions/sess_x", None, (404, "session_not_found")),
    ("POST", "/v1/sessions", {"project_id": "proj_x"}, (404, "project_not_found")),
    ("POST", CHAT, {"messages": [{"role": "user", "content": "BROKENFIRST"}]}, (500, "internal_error")),
    ("POST", CHAT, {"messages": [{"role": "user", "content": "HANGFIRST"}]}, (504, "timeout")),
]


@pytest.mark.parametrize(("method", "url", "body", "expected"), REFUSALS)
def test_a_refusal_has_its_status_and_code(
    client: Client, method: str, url: str, body: Any, expected: tuple[int, str]
) -> None:
    assert refusal(client.call(method, url, json=body)) == expected


@pytest.mark.parametrize("name", ["Authorization", "x-api-key"])
def test_keys_open_the_door(client: Client, name: str) -> None:
    http, value = client.gateway.api, "Bearer {}" if name == "Authorization" else "{}"
    assert refusal(http.get("/v1/models")) == (401, "missing_api_key")
    assert refusal(http.get("/v1/models", headers={name: value.format("no")})) == (401, "invalid_api_key")
    for key in (KEYS[0], KEYS[-1]):
        assert http.get("/v1/models", headers={name: value.format(key)}).status_code == 200
    for public in ("/", "/health", "/openapi.json"):
        assert http.get(public).status_code == 200


def test_one_answer_at_a_time_and_a_stop(client: Client) -> None:
    session = client.json("POST", "/v1/sessions", {})["id"]
    caller = SocketClient(client.gateway, "WAIT", key=client.key, stream=True, session_id=session)
    with hanging_up(caller):
        caller.read_until(b"so far")
        assert client.json("GET", f"{CHAT}/{session}/status")["is_running"] is True
        assert client.json("GET", "/v1/sessions/stats")["claude_sessions"] == [session]
        assert client.gateway.api.health()["active_sessions"] >= 1
        assert refusal(client.call("POST", CHAT, json={**ASK, "session_id": session})) == (
            409,
            "session_busy",
        )
        stopped = client.json("DELETE", f"{CHAT}/{session}")
        assert stopped == {"session_id": session, "status": "stopped"}
        caller.read_until(b'"stopped"')
    assert client.json("GET", f"{CHAT}/{session}/status")["is_running"] is False


def test_a_key_is_limited_told_and_never_locked_out(client: Client) -> None:
    first = client.call("POST", CHAT, json=ASK)
    assert first.headers["x-ratelimit-limit-requests"] == str(REQUESTS)
    for _ in range(REQUESTS + BURST - 1):
        assert client.call("POST", CHAT, json={}).status_code == 400
    for _ in range(3):  # no refusal puts the next chance off
        refused = client.call("POST", CHAT, json=ASK)
        if refused.status_code == 200:
            continue  # a second has passed, and lets one in
        assert refusal(refused) == (429, "rate_limit_exceeded")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert client.call("GET", "/v1/models").status_code == 200


# Settings


def test_browsers_of_the_named_origins_may_ask(client: Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        answer = client.gateway.api.options(CHAT, headers={"Origin": origin, **asked})
        assert answer.status_code == 200  # without a key
        assert answer.headers.get("access-control-allow-origin") == allowed


def test_the_cli_gets_its_key_a_folder_of_its_own_and_no_power(client: Client) -> None:
    processes = wait_for(client.gateway.cli_processes, 10)
    for process in processes:
        with process.oneshot():
            environ, command, folder = process.environ(), process.cmdline(), Path(process.cwd())
        assert environ["ANTHROPIC_API_KEY"] == SECRET
        assert not {"API_KEYS", "CLAUDE_API_KEY", "DATABASE_URL"} & environ.keys()
        assert not any(SECRET in part or KEYS[0] in part for part in command)
        assert "--tools=" in command
        assert not any("bypass" in part or "dangerously" in part for part in command)
        assert folder == Path(client.gateway.home.name, "empty").resolve()
        assert list(folder.iterdir()) == []


def test_a_project_holds_no_more_than_it_may(client: Client, cli: ScriptedCli) -> None:
    made = client.json("POST", "/v1/projects", {"name": "x"})
    assert (cli.home / "projects" / made["path"]).is_dir()
    url = f"/v1/projects/{made['id']}/files/large"
    assert refusal(client.call("PUT", url, content=b"x" * (1 << 20) + b"x")) == (413, "project_too_large")
    assert client.call("PUT", url, content=b"x" * 1000).status_code == 200


def test_the_log_is_a_file_that_is_rotated(client: Client, cli: ScriptedCli) -> None:
    answer = client.call("GET", "/v1/models/capabilities")

    def last() -> list[Body]:
        return [json.loads(line) for line in (cli.home / "file.log").read_text("utf-8").splitlines()]

    name = answer.headers["x-request-id"]
    wait_for(lambda: [line for line in last() if line.get("request_id") == name])
    while not (cli.home / f"file.log.{BACKUPS}").exists():
        assert client.call("GET", "/v1/models").status_code == 200
    assert not (cli.home / f"file.log.{BACKUPS + 1}").exists()
    assert all(path.stat().st_size <= MOST_LOG for path in cli.home.glob("file.log*"))


REFERENCE_DEFAULTS = {
    "host": "0.0.0.0",
    "port": 8000,
    "debug": False,
    "log_level": "INFO",
    "log_format": "json",
    "max_concurrent_sessions": 10,
    "session_timeout_minutes": 30,
    "max_project_size_mb": 1000,
    "cleanup_interval_minutes": 60,
    "rate_limit_requests_per_minute": 100,
    "rate_limit_burst": 10,
    "streaming_timeout_seconds": 300,
    "require_auth": False,
    "api_keys": (),
}
OTHER_SETTINGS = (
    "log_file_path log_max_bytes log_backup_count claude_binary_path claude_api_key default_model project_root "
    "database_url allowed_origins claude_code_api_models_path"
)


def test_every_setting_of_the_reference_is_one_here() -> None:
    settings = Settings()
    assert {name: getattr(settings, name) for name in REFERENCE_DEFAULTS} == REFERENCE_DEFAULTS
    assert {field.name for field in fields(Settings)} >= set(OTHER_SETTINGS.split())


# Models

SHIPPED = [
    *(OPUS, EARLIER_OPUS, "claude-sonnet-4-5-20250929", HAIKU),
    *("claude-opus-4-1-20250805", "claude-opus-4-20250514", "claude-sonnet-4-20250514"),
    *("claude-3-7-sonnet-20250219", "claude-3-5-sonnet-20241022", "claude-3-5-haiku-20241022"),
]
ALIASES = {
    "opus": OPUS,
    "claude-opus-latest": OPUS,
    "claude-opus-4-6": OPUS,
    "claude-opus-4-5": EARLIER_OPUS,
    "claude-opus-4-5-latest": EARLIER_OPUS,
    "sonnet": "claude-sonnet-4-5-20250929",
    "haiku": HAIKU,
}


def test_the_reference_s_models_are_shipped() -> None:
    catalog = ModelCatalog()
    assert [model.id for model in catalog.all()] == SHIPPED
    assert {name: catalog.resolve(name).id for name in ALIASES} == ALIASES
    assert [model.id for model in catalog.candidates(catalog.resolve("opus"))] == [OPUS, EARLIER_OPUS]


def test_the_newest_opus_4_5_stands_in_without_being_named(tmp_path: Path) -> None:
    def candidates(catalog: ModelCatalog) -> list[str]:
        return [model.id for model in catalog.candidates(catalog.resolve("opus"))]

    file = tmp_path / "models.json"
    file.write_text(json.dumps(MODELS))
    assert candidates(ModelCatalog(file)) == [OPUS, EARLIER_OPUS]
    models = [{**model, "fallbacks": []} for model in MODELS["models"]]
    file.write_text(json.dumps({**MODELS, "models": models}))
    assert candidates(ModelCatalog(file)) == [OPUS]


# Tables

COLUMNS = {
    "projects": "id name description path created_at updated_at is_active",
    "sessions": "id project_id title model system_prompt created_at updated_at is_active total_tokens total_cost "
    "message_count",
    "messages": "id session_id role content metadata created_at input_tokens output_tokens cost",
    "api_keys": "id key_hash name is_active created_at last_used_at total_requests total_tokens total_cost",
}


def test_the_reference_s_tables_and_columns_are_there(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    store = Store(f"sqlite:///{file}")
    store.open()
    store.close()
    with closing(sqlite3.connect(file)) as db:
        for table, columns in COLUMNS.items():
            there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            assert there >= set(columns.split()), table
        made = "insert into projects values ('{}', '', 'x', null, 'same', '{{}}', 1, 1, 1)"
        db.execute(made.format("a"))
        with pytest.raises(sqlite3.IntegrityError, match="path"):
            db.execute(made.format("b"))


def test_sessions_of_workers_that_do_not_know_the_column_are_active(tmp_path: Path) -> None:
    """While a new release is taken up, workers of before still add sessions."""
    file = tmp_path / "gateway.db"
    store = Store(f"sqlite:///{file}")
    store.open()
    store.close()
    names = "id, owner, is_stored, created_at, updated_at, stop_requested, total_tokens, total_cost, message_count"
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"insert into sessions ({names}) values ('s', '', 1, 1, 1, 0, 0, 0, 0)")
        assert db.execute("select is_active from sessions").fetchall() == [(1,)]
