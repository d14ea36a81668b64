"""gunicorn with gevent workers. Nothing of the app may be imported here but settings: the workers patch first."""

import sys

from gateway.settings import SettingsError, load

DRAIN_MARGIN_SECONDS = 2.0  # the arbiter KILLs a worker at graceful_timeout: be done before

try:
    settings = load()
except SettingsError as error:
    sys.exit(f"gateway: {error}")

bind = f"{settings.host}:{settings.port}"
workers = settings.web_concurrency
worker_class = "gevent"
worker_connections = 4096  # far above what may run at once, so that /health always gets through
timeout = 60  # the worker's heartbeat, not a limit for requests
graceful_timeout = settings.graceful_timeout_seconds
keepalive = 75
max_requests = 0  # it would cut streams off
preload_app = False  # the app must be imported after gevent has patched
control_socket_disable = True


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Watch for the end of the worker: generators' `finally` do not run when the arbiter kills it."""
    import gevent

    gevent.spawn(_drain, worker)


def _drain(worker):  # type: ignore[no-untyped-def]
    import gevent

    while worker.alive:
        gevent.sleep(0.2)
    worker.wsgi.extensions["claude"].drain(graceful_timeout - DRAIN_MARGIN_SECONDS)


def worker_exit(server, worker):  # type: ignore[no-untyped-def]
    """No CLI process outlives its worker."""
    from gateway.claude.process import kill_all

    kill_all()
