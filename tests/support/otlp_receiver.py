"""A receiver for OpenTelemetry's protocol (OTLP over HTTP) on loopback that records spans and metrics."""

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class ReceivedSpan:
    """A span. Ids are hexadecimal, times are nanoseconds, and `status` is 2 for an error."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start: int
    end: int
    status: int
    attributes: dict[str, Any]
    resource: dict[str, Any] = field(repr=False)


class OtlpReceiver(ThreadingHTTPServer):
    """Records the spans, and the data points of metrics by name."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.points: dict[str, list[Any]] = {}
        super().__init__(("127.0.0.1", 0), _Receiver)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """The value for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Stop receiving."""
        self.shutdown()
        self.server_close()

    def find(self, name: str) -> ReceivedSpan:
        """Return the only span with this name."""
        (span,) = [one for one in self.spans if one.name == name]
        return span

    def below(self, parent: ReceivedSpan) -> list[ReceivedSpan]:
        """Return the spans below another one, in the order of their begin."""
        found = [one for one in self.spans if one.parent_id == parent.span_id]
        return sorted(found, key=lambda one: (one.start, one.end))

    def take_traces(self, body: bytes) -> None:
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _read(resource_spans.resource.attributes)
            self.spans += [
                ReceivedSpan(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.kind,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code,
                    _read(span.attributes),
                    resource,
                )
                for scope in resource_spans.scope_spans
                for span in scope.spans
            ]

    def take_metrics(self, body: bytes) -> None:
        for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource_metrics.scope_metrics:
                for metric in scope.metrics:
                    points = [(_read(one.attributes), one) for one in metric.histogram.data_points]
                    self.points[metric.name] = points


class _Receiver(BaseHTTPRequestHandler):
    server: OtlpReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        take = self.server.take_traces if self.path == "/v1/traces" else self.server.take_metrics
        take(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def _read(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
