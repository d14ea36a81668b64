"""Full disks: each is reported by its own error, the rest goes on, and all is well again when there is space."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support.api_client import error_of, reply_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.small_disk import SmallDisk

Disks = dict[str, SmallDisk]
KIBIBYTES = {"tmp": 2048, "log": 2048, "projects": 2048, "work": 1024, "database": 20_480}


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disks]:
    folder = tmp_path_factory.mktemp("disks")
    with ExitStack() as stack:
        yield {name: stack.enter_context(SmallDisk(folder / name, size)) for name, size in KIBIBYTES.items()}


@pytest.fixture(scope="module")
def full_gateway(disks: Disks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Yield a gateway with the scripted CLI that has a small disk for each kind of its files."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    paths = {
        "TMPDIR": str(disks["tmp"].path),
        "LOG_FILE_PATH": str(disks["log"].path / "gateway.log"),
        "PROJECT_ROOT": str(disks["projects"].path),
        "CLAUDE_WORK_DIR": str(disks["work"].path / "empty"),
        "DATABASE_URL": f"sqlite:///{disks['database'].path}/gateway.db",
    }
    gateway = Gateway({**NOTHING_KEPT, **cli.environ, "ANTHROPIC_API_KEY": "sk-ant-dummy", **paths})
    gateway.await_warm(1)  # it has a worker
    yield gateway
    gateway.close()


@pytest.fixture(autouse=True)
def _answers(full_gateway: Gateway) -> Iterator[None]:
    """Let the gateway answer before and after each test, in the same worker."""
    (worker,) = full_gateway.workers
    assert reply_of(full_gateway.api.chat("hello")) == "You said: hello"
    yield
    assert reply_of(full_gateway.api.chat("hello")) == "You said: hello"
    assert full_gateway.workers == [worker]


def put_file(gateway: Gateway, name: str) -> httpx.Response:
    project = gateway.api.post("/v1/projects", json={"name": name}).json()["id"]
    return gateway.api.put(f"/v1/projects/{project}/files/{name}", content=b"x" * 100_000)


def test_full_tmpdir_ends_no_worker(full_gateway: Gateway, disks: Disks) -> None:
    """The first touch of an unallocated page of a metrics file was a SIGBUS, which no worker survived."""
    api = full_gateway.api
    disks["tmp"].fill()
    for path in (
        "/",
        "/health",
        "/v1/models",
        "/v1/usage",
        "/v1/sessions",
        "/openapi.json",
        "/docs",
        "/nothing",
    ):
        assert api.get(path).status_code in (200, 404)
    assert api.chat("hello", stream=True).status_code == 200
    assert api.get("/metrics").status_code == 200
    disks["tmp"].free()


def test_full_log_costs_lines_of_the_log_only(full_gateway: Gateway, disks: Disks) -> None:
    disks["log"].fill()
    for _ in range(60):  # the last block of the file has room for a few lines
        assert full_gateway.api.get("/v1/models/haiku").status_code == 200
    wait_for(lambda: "lines are missing in LOG_FILE_PATH" in full_gateway.log)
    assert full_gateway.log.count("lines are missing") == 1
    assert "Traceback" not in full_gateway.log
    disks["log"].free()
    before = (disks["log"].path / "gateway.log").stat().st_size
    assert full_gateway.api.get("/v1/models").status_code == 200
    wait_for(lambda: (disks["log"].path / "gateway.log").stat().st_size > before)


def test_full_disk_of_the_projects_is_named(full_gateway: Gateway, disks: Disks) -> None:
    disks["projects"].fill()
    refused = put_file(full_gateway, "first")
    assert error_of(refused)[:2] == (503, "store_unavailable")
    assert "The disk of the gateway's projects is full" in refused.text
    disks["projects"].free()
    assert put_file(full_gateway, "second").status_code == 200


def test_full_work_folder_stops_no_answer(full_gateway: Gateway, disks: Disks) -> None:
    disks["work"].fill()
    assert reply_of(full_gateway.api.chat("hello")) == "You said: hello"
    disks["work"].free()


def test_full_disk_of_the_database_is_named(full_gateway: Gateway, disks: Disks) -> None:
    api = full_gateway.api
    disks["database"].fill()
    item = {"role": "user", "content": "x" * 100_000}
    refused = wait_for(lambda: _refused(api.post("/v1/conversations", json={"items": [item]})))
    assert error_of(refused)[:2] == (503, "store_unavailable")
    assert "The disk of the gateway's database is full" in refused.text
    assert reply_of(api.chat("hello")) == "You said: hello"  # answers do not need it
    response = api.post("/v1/responses", json={"input": "x" * 100_000}).json()
    assert response["status"] == "completed"
    assert response["store"] is (api.get(f"/v1/responses/{response['id']}").status_code == 200)
    assert "database or disk is full" in full_gateway.log
    assert "cannot rollback" not in full_gateway.log
    disks["database"].free()
    assert api.post("/v1/sessions", json={}).status_code == 200
    response = api.post("/v1/responses", json={"input": "hello"}).json()
    assert api.get(f"/v1/responses/{response['id']}").status_code == 200
    wait_for(lambda: api.get("/metrics").text.count("gateway_usage_unwritten 0.0") == 1)


def _refused(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 503 else None


def test_deleted_database_is_unhealthy(full_gateway: Gateway, disks: Disks) -> None:
    api, path = full_gateway.api, Path(disks["database"].path, "gateway.db")
    moved = path.rename(path.with_name("moved.db"))
    health = wait_for(lambda: _refused(api.get("/health")), 5)
    assert health.json()["error"] == "The file of the gateway's database was deleted or replaced."
    assert error_of(api.post("/v1/sessions", json={}))[:2] == (503, "store_unavailable")
    moved.rename(path)
    assert api.get("/health").status_code == 200
    assert api.post("/v1/sessions", json={}).status_code == 200
