"""The state of the CLI's login, as far as the gateway knows it."""

import logging
import time
from collections.abc import Callable, Mapping

from gateway.claude.cli.process import Process, StartFailure
from gateway.claude.cli.protocol import AccountInfo, ControlResult
from gateway.errors import GatewayError, NotLoggedIn

log = logging.getLogger(__name__)

RENEW_SECONDS = 10.0  # the shortest time between two renewals of the warm processes
NOT_LOGGED_IN = "The Claude Code CLI is not logged in."


class Login:
    """The known state of the login. `is_good` is None until the CLI has reported its account or answered a turn.

    `advise` returns a sentence that says how to log in. `report` is called with each state that is learned.
    """

    def __init__(self, advise: Callable[[], str], report: Callable[[bool], object] = bool) -> None:
        self.is_good: bool | None = None
        self._advise = advise
        self._report = report
        self._renewed_at = 0.0

    def ask(self, probe: Process, environ: Mapping[str, str], seconds: float) -> ControlResult:
        """Learn the state from a separate process, and end it. Return what it tells; {} if it tells nothing.

        Only `initialize` tells, so a process of the pool cannot be asked. `environ` is the environment of the process.
        """
        try:
            (result,) = probe.send_requests([{"subtype": "initialize"}], seconds)
        except StartFailure as error:
            log.warning("the CLI did not report how it is logged in: %s", error)
            return {}
        finally:
            probe.close(grace=1.0)
        self.check_account(result.get("account") or {}, environ)
        return result

    @property
    def problem(self) -> str | None:
        """Why the login does not work, with advice for the operator. None if nothing is known against it."""
        return f"{NOT_LOGGED_IN} {self._advise()}" if self.is_good is False else None

    def check_account(self, account: AccountInfo, environ: Mapping[str, str]) -> None:
        """Read the login from the CLI's account information. Log an error if it is missing."""
        self._learn(_is_logged_in(account, environ))
        if not self.is_good:
            log.error("%s", self.problem)

    def explain(self, error: GatewayError) -> GatewayError:
        """Return the error of a turn for the client. If it is a missing login, it says how to log in."""
        if type(error) is not NotLoggedIn:  # a problem with the bill is not solved by a login
            return error
        return NotLoggedIn(f"{error.message} {self._advise()}", should_retry=False)

    def record_success(self) -> None:
        """Record that a turn was answered, so the login works."""
        self._learn(True)

    def needs_renewal(self, error: GatewayError) -> bool:
        """Record a failed turn. Return True if the warm processes should be replaced.

        The operator may have logged in again since they started, and only a new process reads the new login.
        """
        if not isinstance(error, NotLoggedIn):
            return False
        self._learn(False)
        if time.monotonic() - self._renewed_at <= RENEW_SECONDS:
            return False
        self._renewed_at = time.monotonic()
        return True

    def _learn(self, is_good: bool) -> None:
        self.is_good = is_good
        self._report(is_good)


def _is_logged_in(account: AccountInfo, environ: Mapping[str, str]) -> bool:
    """Check the account and ANTHROPIC_AUTH_TOKEN, which the account does not show.

    The login of a configuration folder has a `subscriptionType` and no source.
    """
    sources = (account.get("tokenSource"), account.get("apiKeySource"))
    return (
        any(source not in (None, "none") for source in sources)
        or bool(account.get("subscriptionType"))
        or account.get("apiProvider") != "firstParty"
        or bool(environ.get("ANTHROPIC_AUTH_TOKEN"))
    )
