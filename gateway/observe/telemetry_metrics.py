"""The metrics for OpenTelemetry, by its semantic conventions. `metrics` has those for Prometheus.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
"""

from collections.abc import Callable, Sequence

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from gateway.observe import telemetry_fields as fields
from gateway.record import Record, RequestSummary

# The boundaries that the conventions recommend.
HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
ANSWER_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
TOKEN_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


class TelemetryMetrics:
    """The histograms of one worker. `label_model` maps a model to one of a few names."""

    def __init__(self, resource: Resource, label_model: Callable[[str], str]) -> None:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._provider = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._label_model = label_model
        meter = self._provider.get_meter("claude-code-gateway")

        def measure(name: str, unit: str, text: str, bounds: Sequence[float]) -> Histogram:
            return meter.create_histogram(name, unit, text, explicit_bucket_boundaries_advisory=bounds)

        self._requests = measure(
            "http.server.request.duration", "s", "Duration of HTTP requests.", HTTP_SECONDS
        )
        self._answers = measure(
            "gen_ai.server.request.duration", "s", "Time from the request to its last token.", ANSWER_SECONDS
        )
        self._first = measure(
            "gen_ai.server.time_to_first_token",
            "s",
            "Time from the request to its first token.",
            FIRST_SECONDS,
        )
        self._per_token = measure(
            "gen_ai.server.time_per_output_token",
            "s",
            "Time per output token after the first.",
            TOKEN_SECONDS,
        )
        self._tokens = measure(
            "gen_ai.client.token.usage", "{token}", "Tokens of prompts and answers.", TOKENS
        )

    def count(self, summary: RequestSummary) -> None:
        """Count a request, and its answer if it has one."""
        self._requests.record(summary.seconds, fields.request_labels(summary))
        if summary.record is not None:
            self._count_answer(summary.record)

    def close(self) -> None:
        """Send the last values."""
        self._provider.shutdown()

    def _count_answer(self, record: Record) -> None:
        labels = fields.answer_labels(record, self._label_model(record.model))
        self._answers.record(record.seconds, labels)
        for kind, count in (("input", record.usage.prompt_tokens), ("output", record.usage.output_tokens)):
            self._tokens.record(count, {**labels, "gen_ai.token.type": kind})
        if record.first_seconds is None or record.outcome != "complete":
            return  # the conventions want these of successful answers only
        self._first.record(record.first_seconds, labels)
        if record.usage.output_tokens > 1:
            pause = (record.seconds - record.first_seconds) / (record.usage.output_tokens - 1)
            self._per_token.record(pause, labels)
