"""Changes of the list of accounts while the gateway runs."""

from pathlib import Path

import pytest

from gateway.accounts.states import AccountStates, load_states
from gateway.answering.account_reload import AccountReload
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.keys import Keys

TEAM, OWN = "[team]\nshared = true\n", '[own]\nconfig_dir = "/srv/own"\nshared = true\n'


class FakeClaude:
    """Note the lists that are applied."""

    def __init__(self) -> None:
        self.lists: list[list[str]] = []

    def change_accounts(self, new: AccountStates) -> None:
        self.lists.append([*new.accounts])


@pytest.fixture
def claude() -> FakeClaude:
    return FakeClaude()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    path.write_text(TEAM)
    return path


@pytest.fixture
def reload(path: Path, store: Store, claude: FakeClaude) -> AccountReload:
    return AccountReload(Settings(accounts_path=path), claude, store)  # type: ignore[arg-type]


def test_list_is_applied_when_the_file_has_changed(
    reload: AccountReload, path: Path, claude: FakeClaude
) -> None:
    reload.check()
    assert claude.lists == []
    path.write_text(TEAM + OWN)
    reload.check()
    reload.check()
    path.unlink()
    reload.check()
    assert claude.lists == [["team", "own"], ["default"]]


def test_list_with_a_mistake_is_named_and_not_applied(
    reload: AccountReload, path: Path, claude: FakeClaude, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("[team]\nshard = true\n")
    reload.check()
    assert "is not applied: " in caplog.text
    assert "shard" in caplog.text
    caplog.clear()
    reload.check()
    assert (claude.lists, caplog.text) == ([], "")


def test_account_of_several_keys_cannot_stop_to_be_shared(
    reload: AccountReload, path: Path, store: Store, claude: FakeClaude, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(store, load_states(Settings(accounts_path=path)))
    for name in ("alice", "bob"):
        keys.create(name, accounts=["team"])
    path.write_text("[team]\n")
    reload.check()
    assert (claude.lists, "is not shared" in caplog.text) == ([], True)
