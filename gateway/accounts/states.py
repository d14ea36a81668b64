"""The state of each account: its rate-limit windows, whether it is logged in, and how long it rests.

A worker learns this from the answers that it writes, and shares it with the other workers: `take_changes` returns
the news of this worker, and `merge` takes over the news of others. Of two facts about the same, the later one counts.
All times are Unix time in seconds.

For example:

    states = AccountStates([default_account({}, None)])
    states.record_windows("default", {"five_hour": Window(utilization=0.25, resets_at=1.9e9)})
    states.status("default").windows["five_hour"].utilization    # 0.25
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

from gateway.accounts.account import Account, AccountKind, default_account
from gateway.accounts.accounts_file import read_accounts
from gateway.settings import Settings

#: The reasons for which an account rests.
RestReason = Literal["quota", "login", "billing", "overloaded", "start"]
REST_REASONS: tuple[RestReason, ...] = get_args(RestReason)


class Window(NamedTuple):
    """A rate-limit window of a subscription, as Anthropic has last reported it.

    `utilization` is the fraction that is used and can be more than 1. `status` is "allowed", "allowed_warning" or
    "rejected". All but `heard_at` are None if they were not reported.
    """

    utilization: float | None
    resets_at: float | None
    status: str | None = None
    heard_at: float = 0.0

    def has_reset(self, now: float) -> bool:
        """Return True if the window has been reset since it was reported."""
        return self.resets_at is not None and self.resets_at <= now

    def used(self, now: float) -> float:
        """Return the fraction that is used now: nothing if the window has been reset, or if it is unknown."""
        return 0.0 if self.has_reset(now) else self.utilization or 0.0


class Rest(NamedTuple):
    """A pause of an account, because it could not answer.

    `models` is a word in the ids of the models that it concerns, for example "opus"; "" for all models.
    """

    reason: RestReason
    until: float
    models: str = ""

    def concerns(self, model_id: str) -> bool:
        """Return True if the model rests, too."""
        return self.models in model_id

    @property
    def is_hard(self) -> bool:
        """True if asking the account before the end cannot help. Otherwise it is asked after all others."""
        return self.reason == "quota"


class Fact(NamedTuple):
    """One thing that is known about an account. `value` is JSON.

    `name` is "login", "window:" with the name of the window, or "rest:" with the models that rest.
    """

    account: str
    name: str
    value: Any
    heard_at: float


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """Everything that is known about one account now.

    `logged_in` is None until the CLI has told. `rests` are the pauses that are not over.
    """

    name: str
    kind: AccountKind
    is_shared: bool
    logged_in: bool | None
    windows: Mapping[str, Window]
    rests: tuple[Rest, ...]

    @property
    def state(self) -> str:
        """Return "ready", "resting" or "logged_out". An account is ready if only some models rest."""
        if self.logged_in is False:
            return "logged_out"
        return "ready" if self.resting_until is None else "resting"

    @property
    def resting_until(self) -> float | None:
        """Return when the account can answer again; None if it can now, at least with some models."""
        return max((rest.until for rest in self.rests if not rest.models), default=None)

    def as_json(self) -> dict[str, Any]:
        """Return the figures that `/health` shows."""
        found = asdict(self)
        windows = {name: window._asdict() for name, window in self.windows.items()}
        rests = [rest._asdict() for rest in self.rests]
        return found | {
            "windows": windows,
            "rests": rests,
            "state": self.state,
            "resting_until": self.resting_until,
        }


class AccountStates:
    """The states of all accounts, in the order of the list. `now` is the clock.

    `is_listed` is False for a gateway without a list of accounts. Its only account never rests.
    """

    def __init__(
        self, accounts: Sequence[Account], now: Callable[[], float] = time.time, *, is_listed: bool = False
    ) -> None:
        self.accounts = {account.name: account for account in accounts}
        self.is_listed = is_listed
        self._now = now
        self._facts: dict[tuple[str, str], Fact] = {}
        self._changes: dict[tuple[str, str], Fact] = {}
        # Called if other workers should know soon, and if another worker has found a new login.
        self.on_change: Callable[[], object] = lambda: None
        self.on_login: Callable[[str], object] = lambda name: None

    def replace(self, new: "AccountStates") -> set[str]:
        """Take over the accounts of another list. Return the names whose login is new or another one."""
        changed = {
            name
            for name, account in new.accounts.items()
            if name not in self.accounts or not account.has_login_of(self.accounts[name])
        }
        self.accounts, self.is_listed = new.accounts, new.is_listed
        return changed

    def all(self) -> list[AccountStatus]:
        """Return the status of each account."""
        return [self.status(name) for name in self.accounts]

    def status(self, name: str) -> AccountStatus:
        """Return the status of an account. Raises KeyError."""
        account = self.accounts[name]
        return AccountStatus(
            account.name,
            account.kind,
            account.is_shared,
            self.is_logged_in(name),
            self.windows(name),
            self.rests(name),
        )

    def is_logged_in(self, name: str) -> bool | None:
        """Return whether the account is logged in; None if it is not known."""
        fact = self._facts.get((name, "login"))
        return None if fact is None else fact.value

    def windows(self, name: str) -> dict[str, Window]:
        """Return the windows of an account by name."""
        facts = self._find(name, "window:")
        return {
            part: Window(
                fact.value["utilization"], fact.value["resets_at"], fact.value["status"], fact.heard_at
            )
            for part, fact in facts
        }

    def rests(self, name: str) -> tuple[Rest, ...]:
        """Return the pauses of an account that are not over, the longest first."""
        now = self._now()
        found = [
            Rest(fact.value["reason"], fact.value["until"], part)
            for part, fact in self._find(name, "rest:")
            if fact.value is not None and fact.value["until"] > now
        ]
        return tuple(sorted(found, key=lambda rest: rest.until, reverse=True))

    def find_rest(self, name: str, model_id: str) -> Rest | None:
        """Return the longest pause of an account that concerns a model."""
        return next((rest for rest in self.rests(name) if rest.concerns(model_id)), None)

    def headroom(self, name: str) -> float:
        """Return the fraction that is left of the fullest window. A window that is not known counts as empty."""
        now = self._now()
        return 1.0 - max((window.used(now) for window in self.windows(name).values()), default=0.0)

    def record_windows(self, name: str, windows: Mapping[str, Window]) -> None:
        """Record the windows that an answer was told."""
        for window_name, window in windows.items():
            value = {
                "utilization": window.utilization,
                "resets_at": window.resets_at,
                "status": window.status,
            }
            self._record(name, f"window:{window_name}", value)

    def record_login(self, name: str, is_good: bool) -> None:
        """Record whether an account is logged in. The same again is no news."""
        if self.is_logged_in(name) is not is_good:
            self._record(name, "login", is_good)
            self.on_change()

    def record_rest(self, name: str, rest: Rest) -> None:
        """Let an account rest."""
        self._record(name, f"rest:{rest.models}", {"reason": rest.reason, "until": rest.until})
        self.on_change()

    def end_rests(
        self, name: str, model_id: str | None = None, reasons: Sequence[RestReason] = REST_REASONS
    ) -> None:
        """End the pauses of an account that have one of `reasons`; `model_id` limits this to one model."""
        for rest in self.rests(name):
            if rest.reason in reasons and (model_id is None or rest.concerns(model_id)):
                self._record(name, f"rest:{rest.models}", None)
                self.on_change()

    def take_changes(self) -> list[Fact]:
        """Return the facts that were recorded here since the last call."""
        changes, self._changes = list(self._changes.values()), {}
        return changes

    def keep_changes(self, changes: Iterable[Fact]) -> None:
        """Return facts that could not be shared. The next `take_changes` has them, or later ones."""
        self._changes = {(fact.account, fact.name): fact for fact in changes} | self._changes

    def merge(self, facts: Iterable[Fact]) -> None:
        """Take over the facts of other workers that are later than the known ones."""
        for fact in facts:
            key = (fact.account, fact.name)
            known = self._facts.get(key)
            if fact.account in self.accounts and (known is None or known.heard_at < fact.heard_at):
                self._facts[key] = fact
                if fact.name == "login" and fact.value:
                    self.on_login(fact.account)

    def _find(self, name: str, prefix: str) -> list[tuple[str, Fact]]:
        """Return the facts of an account whose names begin with `prefix`, with the rest of their names."""
        return [
            (key[1].removeprefix(prefix), fact)
            for key, fact in self._facts.items()
            if key[0] == name and key[1].startswith(prefix)
        ]

    def _record(self, account: str, name: str, value: Any) -> None:
        fact = Fact(account, name, value, self._now())
        self._facts[account, name] = self._changes[account, name] = fact


def load_states(settings: Settings) -> AccountStates:
    """Return the states of the accounts in the list, or of the gateway's own login if there is no list.

    Raises SettingsError.
    """
    environ, api_key = settings.environ, settings.claude_api_key
    listed = read_accounts(settings.accounts_path, environ, api_key)
    return AccountStates(listed or [default_account(environ, api_key)], is_listed=bool(listed))
