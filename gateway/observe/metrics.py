"""Prometheus metrics, of all workers together.

Each worker keeps its figures in files of a folder of the arbiter's (prometheus-client's multiprocess mode, chosen by
PROMETHEUS_MULTIPROC_DIR before the package is imported); whichever worker is asked adds them up. Labels have few
values: what clients may write freely (paths, model names) is no label.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gevent
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.observe.request_summary import RequestSummary
from gateway.record import Record

CONTENT_TYPE = CONTENT_TYPE_LATEST
SAMPLE_SECONDS = 2.0
TRIES = 20  # to read other workers' files
PAUSE_SECONDS = 0.01
FIRST_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
SECONDS_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)

# Figures of `Claude.status()`: what is so now, and what only grows.
GAUGES = {
    "running": "Answers being written",
    "queued": "Requests that wait for their turn",
    "processes": "CLI processes",
    "warm": "CLI processes that are ready for a new conversation",
    "starting": "CLI processes that are starting",
    "kept": "CLI processes that stay with their conversation",
    "waiting_for_tools": "Kept CLI processes that wait for the results of tools",
}
COUNTERS = {
    "starts": "CLI processes that got warm",
    "start_failures": "CLI processes that did not start",
    "kept_hits": "Answers by a process that was kept for its conversation or prepared for it",
    "warm_hits": "Conversations that found a warm process",
    "warm_misses": "Conversations that had to wait for a process to start",
}


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """What is sampled. `status` has the names of GAUGES and COUNTERS; `windows` are utilisation and reset time."""

    status: Mapping[str, Any]
    windows: Mapping[str, tuple[float | None, float | None]]
    usage_waiting: int


class Metrics:
    """All metrics of a worker.

    `folder` is that of the multiprocess mode, None outside of gunicorn. `look` gives the state of things, and
    `label` a model's name as one of few.
    """

    def __init__(
        self,
        folder: str | None,
        take_snapshot: Callable[[], MetricsSnapshot],
        label_model: Callable[[str], str],
    ) -> None:
        self._take_snapshot = take_snapshot
        self._label_model = label_model
        self._own = own = CollectorRegistry()
        self._shown = CollectorRegistry() if folder else own
        if folder:
            MultiProcessCollector(self._shown, folder)  # type: ignore[no-untyped-call]
        self._requests = Counter(
            "gateway_requests", "Requests by route and status", ["route", "status"], registry=own
        )
        self._answers = Counter(
            "gateway_answers", "Answers by model and outcome", ["model", "outcome"], registry=own
        )
        self._errors = Counter(
            "gateway_answer_errors", "Answers that failed or were cut, by code", ["code"], registry=own
        )
        self._tokens = Counter("gateway_tokens", "Tokens by model and kind", ["model", "kind"], registry=own)
        self._cost = Counter("gateway_cost_usd", "Cost in USD by model", ["model"], registry=own)
        self._first = Histogram(
            "gateway_first_token_seconds",
            "From the request to the first of its answer",
            ["model"],
            buckets=FIRST_BUCKETS,
            registry=own,
        )
        self._seconds = Histogram(
            "gateway_answer_seconds",
            "From the request to the end of its answer",
            ["model"],
            buckets=SECONDS_BUCKETS,
            registry=own,
        )
        self._gauges = {name: _gauge(f"gateway_{name}", text, own) for name, text in GAUGES.items()}
        self._unwritten = _gauge(
            "gateway_usage_unwritten", "Answers whose usage is not yet in the database", own
        )
        self._counters = {
            name: Counter(f"gateway_{name}", text, registry=own) for name, text in COUNTERS.items()
        }
        self._seen = dict.fromkeys(COUNTERS, 0)
        self._utilisation = _latest(
            "gateway_limit_utilization", "Fraction of a subscription limit that is used", own
        )
        self._resets = _latest(
            "gateway_limit_reset_timestamp_seconds", "When a subscription limit resets", own
        )

    def open(self) -> None:
        """Sample now and then: other workers may be the ones that are asked."""
        gevent.spawn(self._sample_forever)

    def count_request(self, summary: RequestSummary) -> None:
        """A request is over."""
        self._requests.labels(summary.route, summary.status).inc()

    def count_answer(self, record: Record) -> None:
        """An answer is over."""
        model = self._label_model(record.model)
        usage = record.usage
        self._answers.labels(model, record.outcome).inc()
        if record.error:
            self._errors.labels(record.error).inc()
        self._tokens.labels(model, "input").inc(usage.input_tokens)
        self._tokens.labels(model, "cache_read").inc(usage.cache_read_tokens)
        self._tokens.labels(model, "cache_write").inc(usage.cache_write_tokens)
        self._tokens.labels(model, "output").inc(usage.output_tokens)
        self._cost.labels(model).inc(usage.cost_usd or 0.0)
        if record.first_seconds is not None:
            self._first.labels(model).observe(record.first_seconds)
        self._seconds.labels(model).observe(record.seconds)

    def render(self) -> bytes:
        """All metrics of all workers, as Prometheus reads them."""
        self.sample()
        for _ in range(TRIES):
            with suppress(struct.error):  # another worker has made a file, but it is empty yet
                return self._text()
            gevent.sleep(PAUSE_SECONDS)
        return self._text()

    def _text(self) -> bytes:
        text: bytes = generate_latest(self._shown)
        return text

    def sample(self) -> None:
        """Take the state of things over."""
        snapshot = self._take_snapshot()
        for name, gauge in self._gauges.items():
            gauge.set(snapshot.status[name])
        for name, counter in self._counters.items():
            counter.inc(snapshot.status[name] - self._seen[name])
            self._seen[name] = snapshot.status[name]
        self._unwritten.set(snapshot.usage_waiting)
        for window, (utilisation, resets_at) in snapshot.windows.items():
            if utilisation is not None:
                self._utilisation.labels(window).set(utilisation)
            if resets_at is not None:
                self._resets.labels(window).set(resets_at)

    def _sample_forever(self) -> None:
        while True:
            gevent.sleep(SAMPLE_SECONDS)
            self.sample()


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, text, registry=registry, multiprocess_mode="livesum")


def _latest(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, text, ["window"], registry=registry, multiprocess_mode="mostrecent")
