"""Everything that answering a request needs, in one typed container.

`build_services` opens the database and connects the parts; `Services.open` starts what runs in the background, and
`Services.close` ends it together with the worker.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import gevent

from gateway.accounts.states import AccountStates, load_states
from gateway.answering.account_reload import AccountReload, check_bindings
from gateway.answering.account_sync import AccountSync
from gateway.answering.alerting.alerting import Alerting, build_alerting
from gateway.answering.alerting.conditions import data_folders, find_disk_use
from gateway.answering.batches.callers import BatchCallers
from gateway.answering.batches.calls import ItemCall, ItemResponse, SendCall
from gateway.answering.batches.item_runner import ItemRunner
from gateway.answering.batches.jobs import BatchJobs
from gateway.answering.batches.runner import BatchRunner
from gateway.answering.limit_storage import build_limits
from gateway.answering.limits import RequestLimits
from gateway.answering.live_settings import LiveSettings
from gateway.answering.metering import MeteredAnswer
from gateway.answering.remote_access import RemoteAccess
from gateway.answering.request_log import RequestLog
from gateway.answering.sessions import SessionTurns
from gateway.answering.unknown_settings import find_unknown_settings
from gateway.claude.service import Claude
from gateway.errors import ModelNotFound, ShuttingDown, StoreError
from gateway.exposure import describe_exposure
from gateway.observe import logs
from gateway.observe.metrics import Metrics, MetricsSnapshot
from gateway.observe.tracing import build_telemetry
from gateway.observe.watchdog import Watchdog
from gateway.record import RequestSummary
from gateway.settings import Settings, SettingsError
from gateway.store.account_facts import AccountFacts
from gateway.store.activity import Activity
from gateway.store.admin_sessions import AdminSessions
from gateway.store.approvals import Approvals
from gateway.store.audit import AuditLog
from gateway.store.backends import hide_password
from gateway.store.batch_items import BatchItems
from gateway.store.batches import Batches
from gateway.store.conversations import Conversations
from gateway.store.database import Store
from gateway.store.files import FileLimits, Files
from gateway.store.inventory import Inventory
from gateway.store.keys import Keys
from gateway.store.lease_keeper import LeaseKeeper
from gateway.store.project_checkpoints import ProjectCheckpoints
from gateway.store.project_folders import ProjectFolders
from gateway.store.projects import Projects
from gateway.store.request_log import RequestTable
from gateway.store.responses import Responses
from gateway.store.runtime_settings import RuntimeSettings
from gateway.store.sessions import SessionClaims, SessionExpiry, Sessions
from gateway.store.sweeper import sweep_forever
from gateway.store.teams import Teams
from gateway.store.usage import UsageTable, UsageWriter
from gateway.store.usage_series import UsageSeries

if TYPE_CHECKING:
    from gateway.observe.telemetry import Telemetry

log = logging.getLogger(__name__)

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one app. `metrics` is None if METRICS is off, and `telemetry` if OpenTelemetry is.

    `response_leases` are the leases of the responses that this worker writes in the background, and
    `conversation_leases` the leases of the answers that continue stored conversations. `live_answers` are the answers
    that this worker is writing. `requests` is the list of requests, and `request_log` writes it.
    Each function in `socket_closers` closes a WebSocket of this worker when its response
    is complete. Each function in `request_observers` gets the summary of every request when its last
    byte has been sent.
    """

    live_settings: LiveSettings
    store: Store
    claude: Claude
    accounts: AccountStates
    account_sync: AccountSync
    keys: Keys
    admin_sessions: AdminSessions
    projects: Projects
    folders: ProjectFolders
    activity: Activity
    checkpoints: ProjectCheckpoints
    files: Files
    batches: Batches
    batch_jobs: BatchJobs
    batch_runner: BatchRunner
    responses: Responses
    response_leases: LeaseKeeper[str]
    conversations: Conversations
    approvals: Approvals
    remote_access: RemoteAccess
    conversation_leases: LeaseKeeper[str]
    sessions: Sessions
    session_expiry: SessionExpiry
    session_turns: SessionTurns
    limits: RequestLimits
    usage: UsageTable
    usage_series: UsageSeries
    usage_writer: UsageWriter
    audit: AuditLog
    teams: Teams
    inventory: Inventory
    requests: RequestTable
    request_log: RequestLog
    metrics: Metrics | None
    telemetry: "Telemetry | None"
    alerting: Alerting
    watchdog: Watchdog
    live_answers: set[MeteredAnswer]
    socket_closers: set[Callable[[], None]]
    request_observers: tuple[Callable[[RequestSummary], None], ...]

    @property
    def settings(self) -> Settings:
        """The settings in force. Do not keep them: some change at run time."""
        return self.live_settings.current

    def apply(self, settings: Settings) -> None:
        """Let all parts take over the live settings that they keep. It is called after each change, and never waits."""
        logs.set_level(settings.lowest_log_level)
        self.limits.apply(settings)
        self.claude.apply(settings)
        self.alerting.watch.apply(settings)
        self.batch_jobs.settings = settings
        self.batch_runner.most_answers = settings.max_batch_answers
        self.request_log.is_on = bool(settings.request_log_days)
        self.responses.ttl = self.conversations.ttl = timedelta(days=settings.responses_ttl_days)
        self.session_expiry.idle = find_idle_time(settings)
        self.files.limits = _file_limits(settings)
        self.activity.ttl = timedelta(days=settings.agent_activity_ttl_days)
        self.alerting.log.ttl = timedelta(days=settings.alerts_ttl_days)
        self.approvals.wait = timedelta(seconds=settings.approval_wait_seconds)

    def open(self) -> None:
        """Start the CLI processes and the background work. Call this once, in the process that serves."""
        for sentence in find_unknown_settings(self.settings):
            log.warning("%s", sentence)
        for sentence in describe_exposure(self.settings):
            log.warning("%s No keys are required: set REQUIRE_AUTH=true. See docs/security.md", sentence)
        self.watchdog.start()
        self.live_settings.open()
        self.account_sync.open()
        self.claude.open()
        gevent.spawn(sweep_forever, self.list_sweeps(), self.settings.cleanup_interval_minutes * 60)
        self.batch_runner.open()
        self.alerting.open()
        if self.metrics is not None:
            self.metrics.open()

    def list_sweeps(self) -> dict[str, Callable[[], int]]:
        """Return the functions that delete expired data, by the name of the data."""
        return {
            "sessions": self.sessions.delete_expired,
            "responses": self.responses.delete_expired,
            "conversations": self.conversations.delete_expired,
            "approvals": self.approvals.delete_expired,
            "files": self.files.delete_expired,
            "batches": self.batch_jobs.delete_expired,
            "records of agents": self.activity.delete_expired,
            "alerts": self.alerting.log.delete_expired,
            "requests": lambda: self.requests.delete_old(
                self.settings.request_log_days, self.settings.request_log_rows
            ),
            "bodies": lambda: self.requests.delete_old_bodies(self.settings.request_bodies_days),
        }

    def retire_sockets(self) -> None:
        """Close all WebSockets, because the worker ends. Running responses are completed first."""
        for close in list(self.socket_closers):
            close()

    def close(self) -> None:
        """Record the answers that are cut off, and write the usage. Takes a fraction of a second.

        This includes answers whose clients do not read: their greenlets will not get to close them.
        """
        self.batch_runner.close()
        for answer in list(self.live_answers):
            answer.abandon(ShuttingDown())
        self.session_turns.end_all()
        self.limits.close()
        self.usage_writer.close()
        self.alerting.close()
        self.request_log.close()
        if self.telemetry is not None:
            self.telemetry.close()


def _send_nowhere(call: ItemCall) -> ItemResponse:
    raise RuntimeError("These services have no app that could answer the requests of batches.")


def build_services(
    settings: Settings, now: Callable[[], float] = time.time, send_call: SendCall = _send_nowhere
) -> Services:
    """Build the services of an app. Changes that were made at run time apply. Raises SettingsError without a database.

    `now` is the clock of the rate limits in the database, in seconds since 1970; tests replace it. `send_call` sends
    the requests of batches to the app.
    """
    store = _open_store(settings.database_url)
    accounts = load_states(settings)
    claude = Claude(settings, accounts)
    projects = Projects(store)
    folders = ProjectFolders(settings.project_root, settings.max_project_size_mb * MEBIBYTE)
    responses_ttl = timedelta(days=settings.responses_ttl_days)
    responses, conversations = Responses(store, responses_ttl), Conversations(store, responses_ttl)
    expiry = SessionExpiry(find_idle_time(settings))
    sessions, claims = Sessions(store, expiry), SessionClaims(store, expiry)
    usage = UsageTable(store)
    usage_writer = UsageWriter(usage)
    metrics = _build_metrics(settings, claude, usage_writer) if settings.metrics else None
    telemetry = build_telemetry(settings, partial(_label_model, claude))
    requests = RequestTable(store)
    is_logging = bool(settings.request_log_days)
    request_log = RequestLog(requests, settings.request_body_max_kb * 1024, is_on=is_logging)
    limits = build_limits(settings, store, now)
    keys = Keys(store, accounts)
    check_bindings(keys)
    files, batches = Files(store, _file_limits(settings)), Batches(store)
    jobs = BatchJobs(batches, BatchItems(store), files, settings)
    count_result = metrics.count_batch_item if metrics else lambda _: None
    services = Services(
        live_settings=LiveSettings(settings, RuntimeSettings(store)),
        store=store,
        claude=claude,
        accounts=accounts,
        account_sync=AccountSync(accounts, AccountFacts(store), AccountReload(settings, claude, store).check),
        keys=keys,
        admin_sessions=AdminSessions(store),
        projects=projects,
        folders=folders,
        checkpoints=ProjectCheckpoints(
            settings.project_root,
            folders,
            settings.agent_checkpoints,
            settings.agent_checkpoint_mb * MEBIBYTE,
        ),
        activity=Activity(store, timedelta(days=settings.agent_activity_ttl_days)),
        files=files,
        batches=batches,
        batch_jobs=jobs,
        batch_runner=BatchRunner(
            jobs,
            BatchCallers(keys, settings),
            ItemRunner(batches, jobs.items, send_call, count_result),
            limits,
            lambda: claude.has_spare_slot,
            settings.max_batch_answers,
        ),
        responses=responses,
        response_leases=LeaseKeeper(responses.renew_leases, responses.find_active),
        conversations=conversations,
        remote_access=RemoteAccess(settings),
        approvals=Approvals(store, timedelta(seconds=settings.approval_wait_seconds)),
        conversation_leases=LeaseKeeper(conversations.renew_leases),
        sessions=sessions,
        session_expiry=expiry,
        session_turns=SessionTurns(sessions, claims, projects, store_all=settings.store_conversations),
        limits=limits,
        usage=usage,
        usage_series=UsageSeries(store),
        usage_writer=usage_writer,
        audit=AuditLog(store),
        teams=Teams(store),
        inventory=Inventory(store, expiry),
        requests=requests,
        request_log=request_log,
        metrics=metrics,
        telemetry=telemetry,
        alerting=build_alerting(
            settings, store, claude, limits, keys, metrics.count_alert if metrics else lambda kind: None
        ),
        watchdog=Watchdog(),
        live_answers=set(),
        socket_closers=set(),
        request_observers=(
            logs.log_request,
            *([metrics.count_request] if metrics else []),
            request_log.note,
            *([telemetry.note] if telemetry else []),
        ),
    )
    services.live_settings.on_change = services.apply
    services.live_settings.refresh()
    return services


def find_idle_time(settings: Settings) -> timedelta | None:
    """Return the time after which sessions expire; None for never."""
    minutes = settings.session_timeout_minutes
    return timedelta(minutes=minutes) if minutes else None


def _open_store(url: str) -> Store:
    store = Store(url)
    try:
        store.open()
    except StoreError as error:
        reason = f"DATABASE_URL={hide_password(url)}: {error.__cause__}" if error.__cause__ else error.message
        raise SettingsError(f"The database cannot be used. {reason}") from error
    return store


def _file_limits(settings: Settings) -> FileLimits:
    return FileLimits(
        max_bytes=settings.max_file_size_mb * MEBIBYTE,
        max_total_bytes=settings.max_files_size_mb * MEBIBYTE,
        ttl=timedelta(days=settings.files_ttl_days),
    )


def _build_metrics(settings: Settings, claude: Claude, writer: UsageWriter) -> Metrics:
    folders = data_folders(settings.database_url, settings.project_root)

    def take_snapshot() -> MetricsSnapshot:
        disk_used = find_disk_use(folders)
        return MetricsSnapshot(claude.status(), claude.accounts.all(), len(writer), disk_used)

    return Metrics(
        settings.environ.get("PROMETHEUS_MULTIPROC_DIR"), take_snapshot, partial(_label_model, claude)
    )


def _label_model(claude: Claude, model: str) -> str:
    """Map a model to one of a few labels: clients may send any name."""
    try:
        return claude.catalog.find(model).id
    except ModelNotFound:
        return "other"
