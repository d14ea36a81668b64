"""The switch for OpenTelemetry, which is off by default. Its packages are imported only if it is on.

It is on if an address for OTLP is set. All standard variables apply, also those in `.env`:
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gateway.settings import Settings, SettingsError, export_variables

if TYPE_CHECKING:
    from gateway.observe.telemetry import Telemetry

PREFIX = "OTEL_"
ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
PROTOCOL = "http/protobuf"
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
EXTRA = "claude-code-gateway[otel]"


def build_telemetry(settings: Settings, label_model: Callable[[str], str]) -> "Telemetry | None":
    """Return the exporter of traces and metrics; None if it is off. Raises SettingsError if it cannot work.

    `label_model` maps a model to one of a few names, for metrics.
    """
    if not is_enabled(settings.environ):
        return None
    protocol = settings.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOL)
    if protocol != PROTOCOL:
        raise SettingsError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not supported. Use {PROTOCOL}.")
    try:
        has_packages = all(find_spec(name) for name in PACKAGES)
    except ModuleNotFoundError:  # not even the parent package is installed
        has_packages = False
    if not has_packages:
        raise SettingsError(
            f"OpenTelemetry is on, but its packages are missing. Run: pip install '{EXTRA}' (in a clone: '.[otel]')"
        )
    export_variables(settings.environ, PREFIX)
    from gateway.observe.telemetry import Telemetry  # only now, because the import takes memory and time

    return Telemetry(settings.environ, label_model)


def is_enabled(environ: Mapping[str, str]) -> bool:
    """Return True if an address for OTLP is set and the SDK is not disabled.

    >>> is_enabled({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"})
    True
    """
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_disabled and any(environ.get(name) for name in ENDPOINTS)
