"""Traces and metrics of requests and answers for OpenTelemetry, sent over OTLP in the background.

Each request is a span, from its first byte to its last. Below it are the phases of its road, and one `gen_ai` span for
its answer, with phases of its own. No span has any part of a conversation. For example:

    POST /v1/messages                    1.92 s
        auth · limit · parse             0.004 s
        chat claude-sonnet-5-5           1.91 s
            queue · process · set-up     0.02 s
            first token                  0.80 s
            stream                       1.09 s

Imported only if OpenTelemetry is on (see `tracing`).
"""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

import gevent
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.observe import telemetry_fields as fields
from gateway.observe.telemetry_metrics import TelemetryMetrics
from gateway.record import Record, RequestSummary, RequestTrace
from gateway.version import VERSION

log = logging.getLogger(__name__)

SERVICE = "claude-code-gateway"
GATHER_SECONDS = 0.5
MAX_WAITING = 10_000
BATCH_SPANS = 64  # some 5 ms to encode, in which no other greenlet runs
CLOSE_SECONDS = 3.0
NONE = "none"  # the value of OTEL_TRACES_EXPORTER and OTEL_METRICS_EXPORTER that turns one of them off

Phase = tuple[str, float, float]


class Telemetry:
    """The spans and metrics of one worker. Requests only append their summaries to a queue."""

    def __init__(self, environ: Mapping[str, str], label_model: Callable[[str], str]) -> None:
        resource = make_resource()
        has_traces = environ.get("OTEL_TRACES_EXPORTER", "") != NONE
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # `close` does it, in time
        if has_traces:
            size = None if environ.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") else BATCH_SPANS
            self._provider.add_span_processor(
                BatchSpanProcessor(OTLPSpanExporter(), max_export_batch_size=size)
            )
        self._tracer = self._provider.get_tracer(SERVICE, VERSION)
        self._propagator = TraceContextTextMapPropagator()
        has_metrics = environ.get("OTEL_METRICS_EXPORTER", "") != NONE
        self._metrics = TelemetryMetrics(resource, label_model) if has_metrics else None
        self._waiting: deque[RequestSummary] = deque(maxlen=MAX_WAITING)
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def begin(self, name: str, headers: Mapping[str, str], began_at: float) -> RequestTrace:
        """Begin the span of a request, as a part of the client's trace if `headers` have a `traceparent`.

        `began_at` is in monotonic seconds.
        """
        parent, offset = self._propagator.extract(headers, Context()), time.time() - time.monotonic()
        start = int((began_at + offset) * 1e9)
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, start_time=start)
        ids = span.get_span_context()
        return RequestTrace(span, f"{ids.trace_id:032x}", f"{ids.span_id:016x}", offset)

    def note(self, summary: RequestSummary) -> None:
        """Queue a finished request. This neither waits nor raises."""
        self._waiting.append(summary)
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._send_forever)

    def flush(self) -> None:
        """Hand all requests to the exporter whose answers are over. A background response may go on."""
        for _ in range(len(self._waiting)):
            summary = self._waiting.popleft()
            if summary.record is not None and not summary.record.is_over:
                self._waiting.append(summary)
            else:
                self._describe(summary)
                gevent.sleep(0)

    def close(self) -> None:
        """Send everything, for at most CLOSE_SECONDS."""
        if self._greenlet is not None:
            self._greenlet.kill()
        gevent.with_timeout(CLOSE_SECONDS, self._send_rest, timeout_value=None)

    def _send_rest(self) -> None:
        self.flush()
        self._provider.shutdown()
        if self._metrics is not None:
            self._metrics.close()

    def _send_forever(self) -> None:
        while True:
            gevent.sleep(GATHER_SECONDS)
            try:
                self.flush()
            except Exception:
                log.exception("some spans were lost")

    def _describe(self, summary: RequestSummary) -> None:
        if self._metrics is not None:
            self._metrics.count(summary)
        trace = summary.trace
        if trace is None:
            return
        span: Span = trace.span
        if span.is_recording():
            self._add_phases(span, trace, list_request_phases(summary, trace))
            if summary.record is not None:
                self._add_answer(span, trace, summary.record)
            span.set_attributes(fields.request_attributes(summary))
            if summary.status >= 500:
                span.set_status(StatusCode.ERROR, summary.error.message if summary.error else None)
        span.end(trace.to_ns(summary.began_at + summary.seconds))

    def _add_answer(self, parent: Span, trace: RequestTrace, record: Record) -> None:
        span = self._tracer.start_span(
            f"chat {record.model}",
            set_span_in_context(parent, Context()),
            SpanKind.CLIENT,
            fields.answer_attributes(record),
            start_time=trace.to_ns(record.began_at),
        )
        if record.outcome == "failed":
            span.set_status(StatusCode.ERROR, record.reason)
        self._add_phases(span, trace, list_answer_phases(record))
        span.end(trace.to_ns(record.began_at + record.seconds))

    def _add_phases(self, parent: Span, trace: RequestTrace, phases: Iterator[Phase]) -> None:
        context = set_span_in_context(parent, Context())
        for name, begin, end in phases:
            span = self._tracer.start_span(name, context, start_time=trace.to_ns(begin))
            span.end(trace.to_ns(max(begin, end)))


def make_resource() -> Resource:
    """Return the description of this worker. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence."""
    instance = f"{socket.gethostname()}-{os.getpid()}"
    own = {SERVICE_NAME: SERVICE, SERVICE_VERSION: VERSION, SERVICE_INSTANCE_ID: instance}
    return Resource.create().merge(Resource(own)).merge(OTELResourceDetector().detect())


def list_request_phases(summary: RequestSummary, trace: RequestTrace) -> Iterator[Phase]:
    """Yield the phases of a request before its answer."""
    record = summary.record
    moments = [
        ("auth", trace.authenticated_at),
        ("limit", trace.admitted_at),
        ("parse", record.began_at if record is not None else 0.0),
    ]
    yield from _join(summary.began_at, moments)


def list_answer_phases(record: Record) -> Iterator[Phase]:
    """Yield the phases of an answer."""
    times, begin = record.times, record.began_at
    first = 0.0 if record.first_seconds is None else begin + record.first_seconds
    moments = [
        ("queue", times.slot_at),
        ("process", times.process_at),
        ("set-up", times.asked_at),
        ("first token", first),
        ("stream", begin + record.seconds if first else 0.0),
    ]
    yield from _join(begin, moments)


def _join(begin: float, moments: list[tuple[str, float]]) -> Iterator[Phase]:
    """Yield the phases that end at these moments. A moment of 0 was not reached."""
    for name, end in moments:
        if end:
            yield name, begin, end
            begin = end
