"""gunicorn with gevent workers. Nothing of the app may be imported here but settings: the workers patch first."""

import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from gateway.settings import SettingsError, load

DRAIN_MARGIN_SECONDS = 2.0  # the arbiter KILLs a worker at graceful_timeout: be done before
LAST_BYTES_SECONDS = 0.5  # for answers that are complete but not yet written

# Else gevent notes the stack of whoever spawns a greenlet, for debugging, several times a request.
os.environ.setdefault("GEVENT_TRACK_GREENLET_TREE", "false")

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


def on_starting(server):  # type: ignore[no-untyped-def]
    """An empty folder for the workers' metrics; not an inherited one, which another arbiter may still use."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="gateway-metrics-")


def on_exit(server):  # type: ignore[no-untyped-def]
    """The metrics end with the arbiter."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def pre_fork(server, worker):  # type: ignore[no-untyped-def]
    """A worker that boots still has the arbiter's signal handlers, and would queue a TERM that nobody reads."""
    arbiter = os.getpid()

    def handle(number, frame):  # type: ignore[no-untyped-def]
        if os.getpid() != arbiter:
            os._exit(0)
        server.signal(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, handle)


def post_fork(server, worker):  # type: ignore[no-untyped-def]
    """Room for many streams: each has a socket, and three descriptors of its process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Watch for the end of the worker: generators' `finally` do not run when the arbiter kills it."""
    import gevent

    gevent.spawn(_drain, worker)


def _drain(worker):  # type: ignore[no-untyped-def]
    import gevent

    while worker.alive:
        gevent.sleep(0.2)
    worker.wsgi.extensions["claude"].drain(graceful_timeout - DRAIN_MARGIN_SECONDS)
    gevent.sleep(LAST_BYTES_SECONDS)
    sys.exit(0)  # else a kept-alive connection that nobody uses holds the worker until it is KILLed


def worker_exit(server, worker):  # type: ignore[no-untyped-def]
    """No CLI process outlives its worker, and no usage is lost with it."""
    from gateway.claude.process import kill_all

    kill_all()
    app = getattr(worker, "wsgi", None)  # none if it did not boot
    for end in app.extensions["on_exit"] if app else ():
        end()


def child_exit(server, worker):  # type: ignore[no-untyped-def]
    """What a worker was doing is no longer so; what it counted stays.

    As prometheus_client's mark_process_dead, without importing the package here: later workers would inherit it as it
    was before gevent has patched, and its 0.1 s hold up the end.
    """
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_live*_{worker.pid}.db"):
        file.unlink()
