"""Apply changes of the list of accounts while the gateway runs.

Each worker looks whether the file has changed, and takes over the new list. A list with a mistake is not applied: the
log names the mistake, and the old accounts go on answering.
"""

import logging
from pathlib import Path

from gateway.accounts.states import load_states
from gateway.claude.service import Claude
from gateway.errors import AccountTaken
from gateway.settings import Settings, SettingsError
from gateway.store.database import Store
from gateway.store.keys import Keys

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int] | None


class AccountReload:
    """Call `check` every few seconds."""

    def __init__(self, settings: Settings, claude: Claude, store: Store) -> None:
        self._settings = settings
        self._claude = claude
        self._store = store
        self._stamp = _stamp(settings.accounts_path)

    def check(self) -> None:
        """Apply the list if its file has changed since the last call. Raises StoreError."""
        stamp = _stamp(self._settings.accounts_path)
        if stamp == self._stamp:
            return
        try:
            states = load_states(self._settings)
            check_bindings(Keys(self._store, states))
        except SettingsError as error:
            log.error("the new list of accounts is not applied: %s", error)
        else:
            self._claude.change_accounts(states)
        self._stamp = stamp


def check_bindings(keys: Keys) -> None:
    """Raise SettingsError if several keys use an account that is not shared."""
    try:
        keys.check_accounts()
    except AccountTaken as error:
        raise SettingsError(f"{error.message} Set shared = true in the list of accounts.") from error


def _stamp(path: Path) -> Stamp:
    """Return the facts by which a change of a file shows; None without the file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
