"""GET /metrics shows the figures of all workers to admins."""

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import create_app
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.keys import Keys
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, hanging_up
from tests.support.wide import wide

KEY = "a-configured-key"


@pytest.fixture(scope="module")
def metrics_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Yield a gateway with two workers and the scripted CLI. Its `api` has the key of an admin."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    keys = {"REQUIRE_AUTH": "true", "API_KEYS": KEY, "ANTHROPIC_API_KEY": "sk-ant-dummy"}
    settings = {**NOTHING_KEPT, **cli.environ, **keys, "WEB_CONCURRENCY": "2", "WARM_PROCESSES": "1"}
    with closing(Gateway(settings, "tests.support.sampling_wsgi:app")) as gateway:
        gateway.await_warm(1)
        _, plain = Keys(Store(f"sqlite:///{gateway.home.name}/gateway.db")).create("boss", is_admin=True)
        gateway.api.headers["x-api-key"] = plain
        yield gateway


def sum_of(gateway: Gateway, name: str, **labels: str) -> float:
    """Return the sum of the samples with this name and these labels."""
    answer = gateway.api.get("/metrics")
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_metrics_require_the_key_of_an_admin(metrics_gateway: Gateway) -> None:
    for key, status, code in [
        ("", 401, "missing_api_key"),
        ("wrong", 401, "invalid_api_key"),
        (KEY, 403, "admin_required"),
    ]:
        refused = metrics_gateway.api.get("/metrics", headers={"x-api-key": key})
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert metrics_gateway.api.get("/metrics").headers["content-type"].startswith("text/plain; version=")


def test_requests_are_counted_by_route(metrics_gateway: Gateway) -> None:
    before = sum_of(metrics_gateway, "gateway_requests_total", route="unknown", status="404")
    for path in ("/nothing", "/nothing/else"):
        metrics_gateway.api.get(path)
    assert sum_of(metrics_gateway, "gateway_requests_total", route="unknown", status="404") == before + 2
    metrics_gateway.api.get("/v1/models/claude-opus-4-1-20250805")
    assert sum_of(metrics_gateway, "gateway_requests_total", route="/v1/models/<path:model_id>") == 1
    assert "claude-opus-4-1" not in metrics_gateway.api.get("/metrics").text


def test_answers_are_counted(metrics_gateway: Gateway) -> None:
    names = {
        "gateway_answers_total": {"outcome": "complete"},
        "gateway_tokens_total": {"kind": "output"},
        "gateway_cost_usd_total": {},
        "gateway_first_token_seconds_count": {},
        "gateway_answer_seconds_count": {},
        "gateway_answer_errors_total": {"code": "claude_unavailable"},
    }
    before = {name: sum_of(metrics_gateway, name, **labels) for name, labels in names.items()}
    for content in ("hello", "CRASHFIRST", "hello"):
        metrics_gateway.api.chat(content, model="claude-made-up-by-a-client")
    after = {name: sum_of(metrics_gateway, name, **labels) for name, labels in names.items()}
    changes = {name: round(after[name] - before[name], 3) for name in names}
    assert list(changes.values()) == [2, 4, 0.02, 2, 3, 1]
    assert "made-up" not in metrics_gateway.api.get("/metrics").text


def test_gauges_are_the_sum_of_all_workers(metrics_gateway: Gateway) -> None:
    wait_for(lambda: sum_of(metrics_gateway, "gateway_warm") == 2, 20)
    clients = [SocketClient(metrics_gateway, "WAIT", stream=True, key=KEY) for _ in range(3)]
    with hanging_up(*clients):
        for client in clients:
            client.read_until(b"so far", 30)
        wait_for(lambda: sum_of(metrics_gateway, "gateway_running") == 3, 20)
        assert sum_of(metrics_gateway, "gateway_processes") >= 3
    wait_for(lambda: sum_of(metrics_gateway, "gateway_running") == 0, 20)
    assert sum_of(metrics_gateway, "gateway_answers_total", outcome="cut") == 3
    wait_for(lambda: sum_of(metrics_gateway, "gateway_starts_total") >= 5, 20)
    assert (
        sum_of(metrics_gateway, "gateway_warm_hits_total")
        + sum_of(metrics_gateway, "gateway_warm_misses_total")
        >= 3
    )


def test_limits_of_the_subscription_are_shown(metrics_gateway: Gateway) -> None:
    assert metrics_gateway.api.chat("LIMITS").status_code == 200
    wait_for(lambda: sum_of(metrics_gateway, "gateway_limit_utilization", window="five_hour") == 0.25, 20)
    assert sum_of(metrics_gateway, "gateway_limit_reset_timestamp_seconds") == 1_900_000_000


@wide
def test_gauges_of_a_dead_worker_vanish_but_its_counters_stay(metrics_gateway: Gateway) -> None:
    wait_for(lambda: sum_of(metrics_gateway, "gateway_warm") == 2, 20)
    counted = sum_of(metrics_gateway, "gateway_answers_total")
    killed = metrics_gateway.workers
    for worker in killed:
        worker.kill()
    wait_for(lambda: len(metrics_gateway.workers) == 2 and not {*metrics_gateway.workers} & {*killed}, 20)
    metrics_gateway.api.headers["connection"] = "close"
    wait_for(lambda: sum_of(metrics_gateway, "gateway_warm") == 2, 20)
    assert sum_of(metrics_gateway, "gateway_answers_total") == counted


# Without a running gateway


def test_metrics_wait_for_a_file_that_is_still_empty(metrics_gateway: Gateway) -> None:
    """A worker creates its file empty and fills it a moment later."""
    maps = {Path(found.path) for found in metrics_gateway.workers[0].memory_maps()}
    folder = next(path.parent for path in maps if path.parent.name.startswith("gateway-metrics-"))
    file = folder / "histogram_1.db"
    file.touch()
    filler = threading.Timer(0.05, os.truncate, [file, 1 << 16])
    filler.start()
    answer = metrics_gateway.api.get("/metrics")
    filler.join()
    file.unlink()
    assert answer.status_code == 200, answer.text


def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    for metrics, status in ((False, 404), (True, 200)):
        app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/x.db", metrics=metrics))
        assert app.test_client().get("/metrics").status_code == status


def test_every_metric_is_documented(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/x.db"))
    families = text_string_to_metric_families(app.test_client().get("/metrics").text)
    names = {family.name for family in families if not family.name.endswith("_created")}
    documented = set(
        re.findall(r"^\| `(gateway_\w+?)(?:_total)?`", Path("docs/operations.md").read_text("utf-8"), re.M)
    )
    assert documented == names


def test_grafana_dashboard_uses_documented_metrics() -> None:
    """The dashboard uses all documented metrics but the time at which a limit of the subscription resets."""
    board = json.loads((ROOT / "deploy/grafana.json").read_text("utf-8"))
    used = {
        re.sub("_bucket$", "", name)
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"gateway_\w+", target["expr"])
    }
    listed = set(re.findall(r"^\| `(gateway_\w+)`", (ROOT / "docs/operations.md").read_text("utf-8"), re.M))
    assert listed - used == {"gateway_limit_reset_timestamp_seconds"}
    assert used <= listed


def test_prometheus_rules_use_documented_metrics() -> None:
    rules = (ROOT / "deploy/prometheus-alerts.yml").read_text("utf-8")
    documented = set(re.findall(r"`(gateway_\w+)`", (ROOT / "docs/operations.md").read_text("utf-8")))
    assert set(re.findall(r"gateway_\w+", rules)) <= documented
