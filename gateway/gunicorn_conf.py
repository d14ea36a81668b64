"""gunicorn with gevent workers. Only the settings may be imported here: gevent has not patched the arbiter."""

# mypy: allow-untyped-calls

import gc
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a clone is not installed

from gateway.settings import SettingsError, load

DRAIN_MARGIN_SECONDS = 2.0  # a worker must end this long before graceful_timeout, when the arbiter kills it
STRAGGLER_SECONDS = 0.3  # time to read a request whose connection was accepted at the last moment
LAST_BYTES_SECONDS = 0.5  # time to send the rest of answers that are complete
COLLECT_AFTER = (
    10_000  # new objects per garbage collection: a request makes hundreds, and few of them in cycles
)
LINGER_SECONDS = 10.0  # longer than clients keep idle connections: OpenAI's SDKs 5 s, the shipped nginx none

os.umask(0o077)  # the database and all other files are for the gateway's user alone

# By default gevent records the stack of every spawn for debugging, several times per request.
os.environ.setdefault("GEVENT_TRACK_GREENLET_TREE", "false")

try:
    settings = load()
except SettingsError as error:
    sys.exit(f"gateway: {error}")
for _name in [name for name in sys.modules if name.partition(".")[0] == "gateway"]:
    del sys.modules[_name]  # workers that a reload forks must import the new code

bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
workers = settings.web_concurrency
worker_class = "gateway.api.http.gunicorn_worker.JsonGeventWorker"
worker_connections = 4096  # far above what may run at once, so that /health always gets through
timeout = 60  # the worker's heartbeat, not a limit for requests
graceful_timeout = settings.graceful_timeout_seconds
keepalive = 75
max_requests = 0  # it would cut streams off
preload_app = False  # the app must be imported after gevent has patched
control_socket_disable = True
# Headers that gunicorn would obey if they come from this machine, such as SCRIPT_NAME. Only TRUSTED_PROXIES counts.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}


def on_starting(server):  # type: ignore[no-untyped-def]
    """Create an empty folder for the workers' metrics. An inherited one may still belong to another arbiter.

    If no disk has space for it, the workers create it as soon as there is some.
    """
    try:
        folder = tempfile.mkdtemp(prefix="gateway-metrics-")
    except OSError:
        folder = f"{os.environ.get('TMPDIR', '/tmp')}/gateway-metrics-{os.urandom(8).hex()}"
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def on_exit(server):  # type: ignore[no-untyped-def]
    """Remove the folder of the metrics."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def pre_fork(server, worker):  # type: ignore[no-untyped-def]
    """Let a booting worker end at TERM. It still has the arbiter's handlers, which would only queue the signal."""
    worker.is_replaced = mmap.mmap(-1, 1)  # shared memory: a TERM does not say whether new workers take over
    arbiter = os.getpid()

    def handle(number, frame):  # type: ignore[no-untyped-def]
        if os.getpid() != arbiter:
            os._exit(0)
        server.signal(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, handle)


def on_reload(server):  # type: ignore[no-untyped-def]
    """Tell the old workers that new ones take over."""
    for worker in server.WORKERS.values():
        worker.is_replaced[0] = 1


def post_fork(server, worker):  # type: ignore[no-untyped-def]
    """Set the worker up. Make room for many streams: each has a socket, and four descriptors of its CLI process."""
    worker.client_seconds = settings.client_timeout_seconds
    worker.header_seconds = settings.header_timeout_seconds
    worker.max_connections = 0 if settings.trusted_proxies else settings.max_connections_per_address
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Drain the worker when it ends, because generators' `finally` blocks do not run when the arbiter kills it."""
    import gevent

    gevent.spawn(_drain, worker)
    if worker.age == 1:
        _welcome(worker)
    gc.collect()
    gc.freeze()  # the app itself is permanent, so the collector need not scan it
    gc.set_threshold(COLLECT_AFTER)


def _welcome(worker):  # type: ignore[no-untyped-def]
    """Say where the gateway is, as soon as it is ready."""
    import gevent

    from gateway.api.http.context import services_of
    from gateway.command_line.welcome import announce

    port = settings.port or worker.sockets[0].getsockname()[1]  # with PORT=0 the system has chosen it
    services = services_of(worker.wsgi)
    gevent.spawn(announce, replace(settings, port=port), services.claude, services.live_settings.changes)


def _drain(worker):  # type: ignore[no-untyped-def]
    """Wait for the worker's end, then for its running answers."""
    import gevent

    from gateway.api.http.context import services_of

    worker.await_end()
    services = services_of(worker.wsgi)
    claude = services.claude
    services.retire_sockets()
    deadline = time.monotonic() + graceful_timeout - DRAIN_MARGIN_SECONDS
    if worker.is_replaced[0]:
        _linger(claude, deadline)
    else:
        _await_stragglers(worker)
    claude.drain(deadline - time.monotonic())
    gevent.sleep(LAST_BYTES_SECONDS)
    sys.exit(0)  # an idle keep-alive connection would hold the worker until it is killed


def _await_stragglers(worker):  # type: ignore[no-untyped-def]
    """Wait until every request that was accepted has begun.

    gunicorn accepts connections for up to a second after TERM. With several machines, nginx sends a request to the
    next one only if this one accepts no connection, so it must not be refused once it has arrived here.
    """
    import gevent

    while any(sock.fileno() >= 0 for sock in worker.sockets):
        gevent.sleep(0.05)
    gevent.sleep(STRAGGLER_SECONDS)


def _linger(claude, deadline):  # type: ignore[no-untyped-def]
    """Answer the requests that still come over open connections. gunicorn closes each after its next response.

    A rejected request would be a failure for the client, although new workers could answer it. When all connections
    are closed, gunicorn ends the worker.
    """
    import gevent

    claude.retire()
    quiet_since = time.monotonic()
    while time.monotonic() < min(deadline, quiet_since + LINGER_SECONDS):
        if claude.runs:
            quiet_since = time.monotonic()
        gevent.sleep(0.2)


def worker_exit(server, worker):  # type: ignore[no-untyped-def]
    """Kill the worker's CLI processes, and write its usage."""
    from gateway.claude.cli.process import kill_all

    kill_all()
    app = getattr(worker, "wsgi", None)
    if app is not None:  # the worker has booted
        from gateway.api.http.context import services_of

        services_of(app).close()


def child_exit(server, worker):  # type: ignore[no-untyped-def]
    """Drop the dead worker's live gauges but keep its counters.

    This is prometheus_client's mark_process_dead. Importing the package here takes 0.1 s, and later workers would
    inherit it unpatched by gevent.
    """
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_live*_{worker.pid}.db"):
        file.unlink()
