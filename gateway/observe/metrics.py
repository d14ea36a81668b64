"""Prometheus metrics of all workers together.

Each worker writes its values to files in a folder of gunicorn's arbiter. This is prometheus-client's multiprocess mode,
which PROMETHEUS_MULTIPROC_DIR selects before the package is imported. The worker that serves /metrics adds up all
files.

Labels have few values: text that clients choose freely, such as paths and model names, is never a label.

The disk of the folder may be full. Then counts are lost and `/metrics` says why, but answers go on, and counting
continues as soon as there is space (see metric_files.py).
"""

import logging
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gevent
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.accounts.states import AccountStatus
from gateway.alert_settings import KINDS
from gateway.errors import MetricsUnavailable
from gateway.observe.metric_files import allocate_files
from gateway.record import Record, RequestSummary

log = logging.getLogger(__name__)

SAMPLE_SECONDS = 5.0
READ_ATTEMPTS = 20  # to read other workers' files
PAUSE_SECONDS = 0.01
FIRST_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
SECONDS_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)

# Values of `Claude.status()`: the gauges are current values, the counters only grow. The texts appear in /metrics.
GAUGES = {
    "running": "Answers being written",
    "queued": "Requests that wait for a slot",
    "processes": "CLI processes",
    "warm": "CLI processes that are ready for a new conversation",
    "starting": "CLI processes that are starting",
    "kept": "CLI processes that are parked with their conversation",
    "waiting_for_tools": "Parked CLI processes that wait for tool results",
}
COUNTERS = {
    "starts": "CLI processes that became ready",
    "start_failures": "CLI processes that failed to start",
    "kept_hits": "Answers from a process that was parked with the conversation or prepared for it",
    "warm_hits": "Conversations that got a ready process at once",
    "warm_misses": "Conversations that waited for a process to start",
    "recycled": "CLI processes that have forgotten a turn, and were used again",
    "given_up": "Idle CLI processes that were ended because memory was short",
}


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """The values of one sample.

    `status` has the names of GAUGES and COUNTERS. `usage_waiting` counts the records that are not written yet, and
    `disk_used` is the used fraction of the fullest disk with the gateway's data.
    """

    status: Mapping[str, Any]
    accounts: Sequence[AccountStatus]
    usage_waiting: int
    disk_used: float = 0.0


class Metrics:
    """All metrics of a worker.

    `folder` is the folder of the multiprocess mode; None outside gunicorn. `take_snapshot` returns the current values.
    `label_model` maps a model's name to one of few labels.
    """

    def __init__(
        self,
        folder: str | None,
        take_snapshot: Callable[[], MetricsSnapshot],
        label_model: Callable[[str], str],
    ) -> None:
        self._folder = folder
        self._take_snapshot = take_snapshot
        self._label_model = label_model
        self._series: _Series | None = None
        self._problem: OSError | None = None

    def open(self) -> None:
        """Start sampling at an interval, because another worker may serve /metrics."""
        gevent.spawn(self._sample_forever)

    def count_request(self, summary: RequestSummary) -> None:
        """Count a finished request."""
        self._write(lambda series: series.requests.labels(summary.route, summary.status).inc())

    def count_answer(self, record: Record) -> None:
        """Count a finished answer."""
        self._write(lambda series: series.answers.count(record, self._label_model(record.model)))

    def count_batch_item(self, outcome: str) -> None:
        """Count a request of a batch that has a result."""
        self._write(lambda series: series.batch_items.labels(outcome).inc())

    def count_alert(self, kind: str) -> None:
        """Count an alert that this worker has opened."""
        self._write(lambda series: series.alerts.labels(kind).inc())

    def sample(self) -> None:
        """Set the gauges and counters to the current values."""
        self._write(lambda series: series.state.update(self._take_snapshot()))

    def render(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format. Raises MetricsUnavailable."""
        self.sample()
        if self._series is None:
            reason = self._problem.strerror if self._problem else "unknown"
            raise MetricsUnavailable(
                f"The metrics have no files, because TMPDIR cannot be written: {reason}."
            )
        for _ in range(READ_ATTEMPTS):
            with suppress(struct.error):  # another worker has created a file and not written to it yet
                return self._series.render()
            gevent.sleep(PAUSE_SECONDS)
        return self._series.render()

    def _write(self, change: "Callable[[_Series], object]") -> None:
        """Call `change`, unless the files cannot be written. Log the first of several failures, and the next success.

        The series are created here at the first call, or when there is space for their files.
        """
        try:
            self._series = self._series or _Series(self._folder)
            change(self._series)
        except OSError as error:
            if self._problem is None:
                log.warning("metrics cannot be written and are incomplete: %s", error)
            self._problem = error
        else:
            if self._problem is not None:
                log.warning("metrics can be written again")
                self._problem = None

    def _sample_forever(self) -> None:
        while True:
            self.sample()
            gevent.sleep(SAMPLE_SECONDS)


class _Series:
    """The counters, histograms and gauges of a worker. Raises OSError if their files cannot be written."""

    def __init__(self, folder: str | None) -> None:
        own = CollectorRegistry()
        self._shown = CollectorRegistry() if folder else own
        if folder:
            allocate_files(folder)
            MultiProcessCollector(self._shown, folder)  # type: ignore[no-untyped-call]
        self.requests = Counter(
            "gateway_requests", "Requests by route and status", ["route", "status"], registry=own
        )
        self.batch_items = Counter(
            "gateway_batch_items", "Requests of batches by result", ["result"], registry=own
        )
        self.alerts = Counter("gateway_alerts", "Alerts by kind", ["kind"], registry=own)
        for kind in KINDS:  # rules can see the first alert only if there was a 0 before
            self.alerts.labels(kind)
        self.answers = _AnswerMetrics(own)
        self.state = _StateMetrics(own)

    def render(self) -> bytes:
        """Return the metrics of all workers."""
        text: bytes = generate_latest(self._shown)
        return text


class _AnswerMetrics:
    """Counters and histograms of finished answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def count(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"gateway_{name}", text, labels, registry=registry)

        def measure(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"gateway_{name}", text, ["model"], buckets=buckets, registry=registry)

        self._answers = count("answers", "Answers by model and outcome", "model", "outcome")
        self._errors = count("answer_errors", "Answers that failed or were cut, by error code", "code")
        self._tokens = count("tokens", "Tokens by model and kind", "model", "kind")
        self._hosted = count("hosted_calls", "Calls of hosted tools by model and tool", "model", "tool")
        self._cost = count("cost_usd", "Cost in USD by model", "model")
        self._first = measure(
            "first_token_seconds", "Time from the request to the first output of its answer", FIRST_BUCKETS
        )
        self._seconds = measure(
            "answer_seconds", "Time from the request to the end of its answer", SECONDS_BUCKETS
        )

    def count(self, record: Record, model: str) -> None:
        """Count an answer under the label `model`."""
        usage = record.usage
        self._answers.labels(model, record.outcome).inc()
        if record.error:
            self._errors.labels(record.error).inc()
        self._tokens.labels(model, "input").inc(usage.input_tokens)
        self._tokens.labels(model, "cache_read").inc(usage.cache_read_tokens)
        self._tokens.labels(model, "cache_write").inc(usage.cache_write_tokens)
        self._tokens.labels(model, "output").inc(usage.output_tokens)
        if usage.web_searches or usage.web_fetches:
            self._hosted.labels(model, "web_search").inc(usage.web_searches)
            self._hosted.labels(model, "web_fetch").inc(usage.web_fetches)
        self._cost.labels(model).inc(usage.cost_usd or 0.0)
        if record.first_seconds is not None:
            self._first.labels(model).observe(record.first_seconds)
        self._seconds.labels(model).observe(record.seconds)


class _StateMetrics:
    """Gauges and counters that follow the state of the worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges = {name: _create_gauge(name, text, registry) for name, text in GAUGES.items()}
        self._unwritten = _create_gauge(
            "usage_unwritten", "Answers whose usage is not in the database yet", registry
        )
        self._counters = {
            name: Counter(f"gateway_{name}", text, registry=registry) for name, text in COUNTERS.items()
        }
        self._seen = dict.fromkeys(COUNTERS, 0)
        self._logged_in = _create_gauge("logged_in", "1 if the CLI is logged in", registry, "livemin")
        self._disk = _create_gauge("disk_used_ratio", "Used part of the fullest disk", registry, "livemax")
        self._utilization = _create_account_gauge(
            "limit_utilization", "Used fraction of a subscription limit", registry, "window"
        )
        self._resets = _create_account_gauge(
            "limit_reset_timestamp_seconds", "Time when a subscription limit resets", registry, "window"
        )
        self._ready = _create_account_gauge(
            "account_ready", "1 if an account can answer: it is logged in and does not rest", registry
        )

    def update(self, snapshot: MetricsSnapshot) -> None:
        """Set all values to those in `snapshot`."""
        for name, gauge in self._gauges.items():
            gauge.set(snapshot.status[name])
        for name, counter in self._counters.items():
            counter.inc(snapshot.status[name] - self._seen[name])
            self._seen[name] = snapshot.status[name]
        self._unwritten.set(snapshot.usage_waiting)
        self._logged_in.set(snapshot.status["logged_in"] is not False)
        self._disk.set(snapshot.disk_used)
        for account in snapshot.accounts:
            self._ready.labels(account.name).set(account.state == "ready")
            for name, window in account.windows.items():
                if window.utilization is not None:
                    self._utilization.labels(account.name, name).set(window.utilization)
                if window.resets_at is not None:
                    self._resets.labels(account.name, name).set(window.resets_at)


def _create_gauge(name: str, text: str, registry: CollectorRegistry, mode: Any = "livesum") -> Gauge:
    return Gauge(f"gateway_{name}", text, registry=registry, multiprocess_mode=mode)


def _create_account_gauge(name: str, text: str, registry: CollectorRegistry, *labels: str) -> Gauge:
    return Gauge(
        f"gateway_{name}", text, ["account", *labels], registry=registry, multiprocess_mode="mostrecent"
    )
