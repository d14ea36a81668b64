"""OpenTelemetry: spans and metrics of requests and answers, sent to a receiver over OTLP."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
import structlog
from flask import Flask

from gateway.api.http.context import services_of
from gateway.errors import GatewayError
from gateway.observe.tracing import is_enabled
from gateway.record import Record, RequestSummary, RequestTrace, RunTimes
from gateway.settings import Settings, SettingsError
from gateway.store.keys import Keys
from gateway.turn import Usage
from tests.support.api_client import Api
from tests.support.apps import MakeApp
from tests.support.gateway import ROOT
from tests.support.otlp_receiver import OtlpReceiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
MakeTracedApp = Callable[..., Flask]


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with closing(OtlpReceiver()) as server:
        yield server


@pytest.fixture
def make_traced_app(
    make_app: MakeApp, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> MakeTracedApp:
    """Return a function that makes an app which sends to the receiver, with variables of OpenTelemetry."""

    def make(**variables: str) -> Flask:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **variables}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)  # the SDK reads them there
        return make_app(environ=environ, require_auth=True, api_keys=("configured",))

    return make


def finish(app: Flask) -> None:
    """Send everything, as at the end of a worker."""
    telemetry = services_of(app).telemetry
    assert telemetry is not None
    telemetry.close()


def make_answer(trace: RequestTrace, **changes: Any) -> RequestSummary:
    """Return a request with an answer whose phases took 10, 20, 30, 40 and 900 ms."""
    began = time.monotonic()
    trace.authenticated_at, trace.admitted_at = began + 0.001, began + 0.003
    answered = began + 0.005
    record = Record(
        "req_1",
        "/v1/messages",
        datetime.now(timezone.utc),
        model="claude-haiku-4-5-20251001",
        streamed=True,
        outcome="complete",
        stop_reason="end_turn",
        first_seconds=0.1,
        seconds=1.0,
        usage=Usage(
            input_tokens=3, cache_read_tokens=7, cache_write_tokens=5, output_tokens=10, cost_usd=0.01
        ),
        repaired=("part-as-text",),
        began_at=answered,
        times=RunTimes(answered + 0.01, answered + 0.03, answered + 0.06, "warm", attempts=1),
        is_over=True,
    )
    record = replace(record, **changes)
    path = "/v1/messages"
    return RequestSummary(
        "req_1", "POST", path, path, 200, 1.01, "", "alice", None, record, began_at=began, trace=trace
    )


def test_request_is_a_part_of_the_clients_trace_and_in_the_log(
    make_traced_app: MakeTracedApp, receiver: OtlpReceiver, keys: Keys
) -> None:
    app = make_traced_app()
    api = Api.of_app(app, key="configured")
    api.post("/v1/chat/completions", json={})
    api.post("/v1/chat/completions", json={}, headers={"traceparent": TRACEPARENT})
    bound = structlog.contextvars.get_contextvars()
    api.get("/health")
    finish(app)
    first, second = [span for span in receiver.spans if span.name == "POST /v1/chat/completions"]
    assert first.trace_id != TRACE
    assert (second.trace_id, second.parent_id, second.kind) == (TRACE, "00f067aa0ba902b7", 2)
    assert (bound["trace_id"], bound["span_id"]) == (TRACE, second.span_id)
    assert second.attributes["http.response.status_code"] == 400
    assert second.attributes["error.type"] == "missing_messages"
    assert second.attributes["gateway.key_name"] == "API_KEYS"
    assert second.status == 0  # a mistake of the client is no error of the server
    assert [span.name for span in receiver.below(second)] == ["auth", "limit"]
    assert second.resource["service.name"] == "claude-code-gateway"
    assert {span.name.split()[0] for span in receiver.spans} == {"POST", "auth", "limit"}  # not /health
    points = {
        labels["http.route"]: one.count for labels, one in receiver.points["http.server.request.duration"]
    }
    assert points == {"/v1/chat/completions": 2, "/health": 1}


def test_answer_has_a_span_with_its_phases_and_tokens(
    make_traced_app: MakeTracedApp, receiver: OtlpReceiver
) -> None:
    app = make_traced_app(OTEL_SERVICE_NAME="mine", OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test")
    telemetry = services_of(app).telemetry
    assert telemetry is not None
    telemetry.note(make_answer(telemetry.begin("POST /v1/messages", {}, time.monotonic())))
    finish(app)
    request, answer = receiver.find("POST /v1/messages"), receiver.find("chat claude-haiku-4-5-20251001")
    assert [span.name for span in receiver.below(request)] == [
        "auth",
        "limit",
        "parse",
        "chat claude-haiku-4-5-20251001",
    ]
    phases = {span.name: round((span.end - span.start) / 1e6) for span in receiver.below(answer)}
    assert phases == {"queue": 10, "process": 20, "set-up": 30, "first token": 40, "stream": 900}
    assert (
        answer.attributes
        | {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.response.model": "claude-haiku-4-5-20251001",
            "gen_ai.response.finish_reasons": ["end_turn"],
            "gen_ai.usage.input_tokens": 15,
            "gen_ai.usage.cache_read.input_tokens": 7,
            "gen_ai.usage.output_tokens": 10,
            "gateway.process": "warm",
            "gateway.repaired": ["part-as-text"],
        }
        == answer.attributes
    )
    assert (answer.resource["service.name"], answer.resource["deployment.environment"]) == ("mine", "test")
    tokens = {
        labels["gen_ai.token.type"]: one.sum for labels, one in receiver.points["gen_ai.client.token.usage"]
    }
    assert tokens == {"input": 15, "output": 10}
    ((labels, first),) = receiver.points["gen_ai.server.time_to_first_token"]
    assert (first.sum, labels["gen_ai.response.model"]) == (pytest.approx(0.1), "claude-haiku-4-5-20251001")
    ((_, per_token),) = receiver.points["gen_ai.server.time_per_output_token"]
    assert per_token.sum == pytest.approx(0.1)


def test_failed_answer_is_an_error_and_a_running_one_waits(
    make_traced_app: MakeTracedApp, receiver: OtlpReceiver
) -> None:
    app = make_traced_app()
    telemetry = services_of(app).telemetry
    assert telemetry is not None
    running = make_answer(telemetry.begin("POST /v1/responses", {}, time.monotonic()), is_over=False)
    failed = make_answer(
        telemetry.begin("POST /v1/messages", {}, time.monotonic()),
        outcome="failed",
        error="overloaded",
        first_seconds=None,
    )
    telemetry.note(running)
    telemetry.note(replace(failed, status=529, error=GatewayError("Busy.", code="overloaded")))
    telemetry.flush()
    assert running.record is not None
    running.record.is_over = True
    finish(app)
    answer = next(
        one
        for one in receiver.spans
        if one.parent_id == receiver.find("POST /v1/messages").span_id and one.kind == 3
    )
    assert (answer.status, answer.attributes["error.type"]) == (2, "overloaded")
    assert receiver.find("POST /v1/messages").status == 2
    assert [span.name for span in receiver.below(answer)] == ["queue", "process", "set-up"]
    assert receiver.find("POST /v1/responses").end > 0


def test_traces_or_metrics_can_be_off(make_traced_app: MakeTracedApp, receiver: OtlpReceiver) -> None:
    app = make_traced_app(OTEL_TRACES_EXPORTER="none")
    Api.of_app(app, key="configured").get("/v1/models")
    finish(app)
    assert not receiver.spans
    assert "http.server.request.duration" in receiver.points


def test_it_is_off_without_an_address(make_app: MakeApp) -> None:
    assert services_of(make_app()).telemetry is None
    assert not is_enabled({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "TRUE"})


@pytest.mark.wide
def test_its_packages_are_imported_only_if_it_is_on(database_url: str) -> None:
    code = (
        "import sys, gateway.app; from gateway.settings import Settings; "
        "gateway.app.create_app(Settings(database_url=sys.argv[1])); "
        "print([name for name in sys.modules if name.startswith(('gateway.observe.tele', 'opentelemetry.exp'))])"
    )
    command = [sys.executable, "-c", code, database_url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_protocol_that_is_not_supported_is_refused(make_app: MakeApp) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported"):
        make_app(environ=environ)
    assert Settings().environ == {}
