"""Keys before the first request: in the settings, at the start of the app, and from the generator script."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings import Settings, SettingsError, load
from gateway.store.keys import Keys
from tests.support.apps import MakeApp
from tests.support.gateway import ROOT

# Settings


@pytest.mark.parametrize(
    ("text", "keys"),
    [("a,b", ("a", "b")), (" a , b ,", ("a", "b")), ('["a", "b"]', ("a", "b")), ("a", ("a",)), ("", ())],
)
def test_api_keys_setting_is_a_plain_list_or_json(
    monkeypatch: pytest.MonkeyPatch, text: str, keys: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("API_KEYS", text)
    assert load().api_keys == keys


def test_repr_of_settings_hides_keys() -> None:
    assert "a-secret-key" not in repr(Settings(api_keys=("a-secret-key",)))


# The start of the app


def test_app_does_not_start_when_no_key_would_be_valid(make_app: MakeApp, keys: Keys) -> None:
    with pytest.raises(SettingsError, match=r"REQUIRE_AUTH .* no key"):
        make_app(require_auth=True)
    key, _ = keys.create("alice")
    make_app(require_auth=True)
    keys.revoke(key.id)
    with pytest.raises(SettingsError, match=r"REQUIRE_AUTH .* no key"):
        make_app(require_auth=True)


@pytest.mark.parametrize("database_url", ["postgresql://host/db", "sqlite:////proc/none/x.db"])
def test_app_does_not_start_without_a_database(make_app: MakeApp, database_url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        make_app()


# scripts/generate_api_keys.py


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    command = [sys.executable, str(ROOT / "scripts" / "generate_api_keys.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_script_generates_keys_that_the_settings_accept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("API_KEYS", raising=False)
    file = tmp_path / "fresh.env"
    file.write_text(generate("-n", "2", "--env", "-p", "team_", "-l", "20").stdout)
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", str(file))
    keys = load().api_keys
    assert len(set(keys)) == 2
    assert all(re.fullmatch("team_[A-Za-z0-9]{20}", key) for key in keys)
    assert re.fullmatch(r"(ccg-[A-Za-z0-9]{43}\n){3}", generate("-n", "3").stdout)


@pytest.mark.parametrize("arguments", [("-l", "3"), ("-n", "0"), ("-p", "a,b")])
def test_script_rejects_weak_and_unusable_keys(arguments: tuple[str, ...]) -> None:
    done = generate(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
