"""The app with gauges that are sampled five times per second."""

from gateway.observe import metrics
from wsgi import app

__all__ = ["app"]

metrics.SAMPLE_SECONDS = 0.2
