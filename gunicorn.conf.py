"""gunicorn with gevent workers. Nothing of the app may be imported here but settings: the workers patch first."""

import gc
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from gateway.settings import SettingsError, load

DRAIN_MARGIN_SECONDS = 2.0  # the arbiter KILLs a worker at graceful_timeout: be done before
LAST_BYTES_SECONDS = 0.5  # for answers that are complete but not yet written
COLLECT_AFTER = 10_000  # new objects; a request makes hundreds, and few of them in cycles
LINGER_SECONDS = 10.0  # longer than clients keep idle connections: nginx as shipped none, OpenAI's SDKs 5 s

os.umask(0o077)  # the database and whatever else is written are for the gateway's user alone

# Else gevent notes the stack of whoever spawns a greenlet, for debugging, several times a request.
os.environ.setdefault("GEVENT_TRACK_GREENLET_TREE", "false")

try:
    settings = load()
except SettingsError as error:
    sys.exit(f"gateway: {error}")
for _name in [name for name in sys.modules if name.partition(".")[0] == "gateway"]:
    del sys.modules[_name]  # workers that a reload forks must not inherit the code of before

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
    worker.is_replaced = mmap.mmap(-1, 1)  # shared: a TERM does not say whether others take over
    arbiter = os.getpid()

    def handle(number, frame):  # type: ignore[no-untyped-def]
        if os.getpid() != arbiter:
            os._exit(0)
        server.signal(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, handle)


def on_reload(server):  # type: ignore[no-untyped-def]
    """At HUP new workers take over: let those of before know."""
    for worker in server.WORKERS.values():
        worker.is_replaced[0] = 1


def post_fork(server, worker):  # type: ignore[no-untyped-def]
    """Room for many streams: each has a socket, and three descriptors of its process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Watch for the end of the worker: generators' `finally` do not run when the arbiter kills it."""
    import gevent

    gevent.spawn(_drain, worker)
    gc.collect()
    gc.freeze()  # what the app is made of stays: not to be looked through again and again
    gc.set_threshold(COLLECT_AFTER)


def _drain(worker):  # type: ignore[no-untyped-def]
    import gevent

    while worker.alive:
        gevent.sleep(0.2)
    claude = worker.wsgi.extensions["claude"]
    deadline = time.monotonic() + graceful_timeout - DRAIN_MARGIN_SECONDS
    if worker.is_replaced[0]:
        _linger(claude, deadline)
    claude.drain(deadline - time.monotonic())
    gevent.sleep(LAST_BYTES_SECONDS)
    sys.exit(0)  # else a kept-alive connection that nobody uses holds the worker until it is KILLed


def _linger(claude, deadline):  # type: ignore[no-untyped-def]
    """Answer what still comes over connections that are open; each is closed after its next answer.

    Refusing it would be a failure that the client sees, though others are there to answer. When all connections are
    closed, gunicorn ends the worker by itself.
    """
    import gevent

    claude.retire()
    quiet_since = time.monotonic()
    while time.monotonic() < min(deadline, quiet_since + LINGER_SECONDS):
        if claude.runs:
            quiet_since = time.monotonic()
        gevent.sleep(0.2)


def worker_exit(server, worker):  # type: ignore[no-untyped-def]
    """No CLI process outlives its worker, and no usage is lost with it."""
    from gateway.claude.cli.process import kill_all

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
