"""The attributes of spans and metrics, by OpenTelemetry's semantic conventions. Names of our own begin with `gateway.`.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from typing import Any

from gateway.record import Record, RequestSummary

PROVIDER = "anthropic"
OPERATION = "chat"

Attributes = dict[str, Any]


def request_attributes(summary: RequestSummary) -> Attributes:
    """Return the attributes of a request's span."""
    return _without_none(
        {
            **request_labels(summary),
            "url.path": summary.path[:200],
            "client.address": summary.address,
            "user_agent.original": summary.client[:200] or None,
            "gateway.request_id": summary.request_id,
            "gateway.key_id": summary.key_id,
            "gateway.key_name": summary.key_name,
        }
    )


def request_labels(summary: RequestSummary) -> Attributes:
    """Return the attributes of a request that have few values, for metrics."""
    error = summary.error.code if summary.error is not None else None
    return _without_none(
        {
            "http.request.method": summary.method[:20],
            "http.route": summary.route,
            "http.response.status_code": summary.status,
            "error.type": error,
        }
    )


def answer_attributes(record: Record) -> Attributes:
    """Return the attributes of an answer's span."""
    usage = record.usage
    return _without_none(
        {
            **answer_labels(record, record.model),
            "gen_ai.request.stream": record.streamed,
            "gen_ai.conversation.id": record.session_id,
            "gen_ai.response.finish_reasons": (record.stop_reason,) if record.stop_reason else None,
            "gen_ai.response.time_to_first_chunk": record.first_seconds,
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.thinking_tokens,
            "gateway.cost_usd": usage.cost_usd,
            "gateway.outcome": record.outcome,
            "gateway.account": record.account,
            "gateway.fallback_model": record.fallback_model,
            "gateway.project_id": record.project_id,
            "gateway.process": record.times.process,
            "gateway.attempts": record.times.attempts,
            "gateway.repaired": record.repaired or None,
            "gateway.ignored": record.ignored or None,
        }
    )


def answer_labels(record: Record, model: str) -> Attributes:
    """Return the attributes of an answer that have few values, for metrics."""
    return _without_none(
        {
            "gen_ai.operation.name": OPERATION,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            "error.type": record.error,
        }
    )


def _without_none(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}
