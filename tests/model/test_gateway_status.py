"""The reports of the gateway about itself, with the real CLI: endpoints, health and models."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.standin import StandIn, text
from tests.support.api_client import body_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.sockets import cli_pids, wait_until_idle


def test_root_lists_endpoints_that_exist(gateway: Gateway) -> None:
    body = body_of(gateway.api.get("/"))
    assert body.keys() >= {"name", "version", "description"}
    for url in body["endpoints"].values():
        assert gateway.api.get(url).status_code in (200, 405, 501)  # 501: OpenAI lists stored chats there


def test_health_reports_versions_login_and_sessions(gateway: Gateway) -> None:
    assert gateway.api.chat().status_code == 200
    body = body_of(gateway.api.get("/health"))
    assert body["status"] == "healthy"
    assert body["active_sessions"] == 0
    assert body["claude_version"].startswith("2.1.")
    assert body["version"] == gateway.api.get("/").json()["version"]
    assert body["claude"]["logged_in"] is True


def test_health_counts_running_answers(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("a b c", delay=0.2))
    stream = gateway.api.stream_chat()
    next(stream)
    assert gateway.api.health()["active_sessions"] == 1
    assert list(stream)[-1] == "[DONE]"
    assert gateway.api.health()["active_sessions"] == 0


def test_models_come_from_the_file_and_the_cli(gateway: Gateway) -> None:
    gateway.await_warm(1)
    body = gateway.api.models()
    assert body["object"] == "list"
    ids = [entry["id"] for entry in body["data"]]
    assert len(set(ids)) == len(ids)
    known = {"claude-opus-4-6-20260205", "claude-opus-4-6", "sonnet", "haiku", "claude-opus-5-5"}
    assert known <= set(ids)
    for entry in body["data"]:
        assert entry.keys() >= {"id", "object", "created", "owned_by"}
        assert entry["object"] == "model"
        # Other tests make the gateway list models about which it knows nothing else.
        assert entry["id"] not in known or entry["context_window"] >= 200_000
    assert ids[0] == "claude-opus-5-5"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-opus-4-6-20260205", "claude-opus-4-6-20260205"),
        ("claude-opus-4-6", "claude-opus-4-6-20260205"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("opus", "claude-opus-5-5"),
    ],
)
def test_model_is_found_by_id_and_alias(gateway: Gateway, name: str, model: str) -> None:
    gateway.await_warm(1)
    found = body_of(gateway.api.get(f"/v1/models/{name}"))
    expected = {"id": model, "object": "model", "created": 0, "owned_by": "anthropic"}
    assert found.items() >= expected.items()


def test_capabilities_include_limits_and_prices(gateway: Gateway) -> None:
    gateway.await_warm(1)
    body = body_of(gateway.api.get("/v1/models/capabilities"))
    assert (body["provider"], body["total"]) == ("anthropic", len(body["models"]))
    models = {model["id"]: model for model in body["models"]}
    shipped, reported = models["claude-opus-4-6-20260205"], models["claude-opus-5-5"]
    assert shipped.keys() >= {"name", "description", "supports_streaming", "supports_tools", "features"}
    assert shipped["max_tokens"] == 128_000
    assert shipped["pricing"] == {
        "input_cost_per_1k_tokens": 0.005,
        "output_cost_per_1k_tokens": 0.025,
        "currency": "USD",
    }
    assert reported["pricing"]["input_cost_per_1k_tokens"] > 0
    assert "default" in reported["aliases"]


def test_requests_that_run_no_model_start_no_process(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="1")
    wait_until_idle(gateway, 1)
    starts = gateway.api.health()["claude"]["starts"]
    began = time.monotonic()
    for url in ("/", "/health", "/v1/models", "/v1/models/opus", "/v1/models/capabilities", "/openapi.json"):
        assert gateway.api.get(url).status_code == 200
    assert gateway.api.chat(model="gpt-4o").status_code == 400
    assert gateway.api.chat(n=99).status_code == 400
    assert time.monotonic() - began < 10  # a process would have started within that time
    status = gateway.api.health()["claude"]
    assert (status["starts"], status["starting"], status["warm"]) == (starts, 0, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify belongs to Linux")
def test_idle_processes_do_not_poll_their_files(gateway: Gateway) -> None:
    """The CLI has inotify only with CLAUDE_CODE_CONFIG_WATCH_EVENTS. Without it, it wakes every second."""
    gateway.await_warm(1)
    wait_for(lambda: all(_has_inotify(pid) for pid in cli_pids(gateway)))


def _has_inotify(pid: int) -> bool:
    with suppress(FileNotFoundError):  # a descriptor was closed: look again
        return any(str(one.readlink()) == "anon_inode:inotify" for one in Path(f"/proc/{pid}/fd").iterdir())
    return False
