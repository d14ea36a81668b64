"""The list of accounts in a file: reading, mistakes and changes."""

from pathlib import Path

import pytest

from gateway.accounts.account import Account
from gateway.accounts.accounts_file import add_section, read_accounts, remove_section
from gateway.settings import SettingsError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.toml"


def test_without_a_file_there_is_no_list(path: Path) -> None:
    assert read_accounts(path, {}) == []


def test_accounts_replace_the_login_of_the_gateway(path: Path) -> None:
    path.write_text(
        '[team]\nconfig_dir = "/srv/team"\n[own]\nshared = true\n'
        '[metered]\nvariables = { ANTHROPIC_API_KEY = "$WORK_KEY" }\n'
        '[cloud]\nvariables = { CLAUDE_CODE_USE_BEDROCK = "1", AWS_PROFILE = "ai" }\n'
    )
    environ = {"WORK_KEY": "sk-ant-work", "ANTHROPIC_AUTH_TOKEN": "gateway's", "PATH": "/bin"}
    team, own, metered, cloud = read_accounts(path, environ)
    assert [one.kind for one in (team, own, metered, cloud)] == ["login", "api_key", "api_key", "bedrock"]
    assert [one.is_shared for one in (team, own, metered, cloud)] == [False, True, False, False]
    assert own.apply(environ) == environ
    assert team.apply(environ) == {
        "WORK_KEY": "sk-ant-work",
        "PATH": "/bin",
        "CLAUDE_CONFIG_DIR": "/srv/team",
    }
    assert metered.apply(environ)["ANTHROPIC_API_KEY"] == "sk-ant-work"
    assert "sk-ant-work" not in repr(metered)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a", "cannot be read"),
        ("[a]\nkey = 1", "has ['key']"),
        ("a = 1", "has 1"),
        ('["a b"]', "The name 'a b' is not valid"),
        ("[a]\nshared = 1", "true or false"),
        ('[a]\nconfig_dir = "x"', "absolute"),
        ('[a]\nvariables = { PATH = "/bin" }', "PATH cannot be set"),
        ('[a]\nvariables = { ANTHROPIC_API_KEY = "$NO" }', "NO, which is not set"),
        ('[a]\nconfig_dir = "/x"\n[b]\nconfig_dir = "/x"', "[a] and [b] are the same login"),
        ("[a]\n[b]", "[a] and [b] are the same login"),
    ],
)
def test_mistakes_are_named(path: Path, text: str, reason: str) -> None:
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        read_accounts(path, {})
    assert reason in str(raised.value)
    assert str(path) in str(raised.value)


def test_section_that_is_added_can_be_removed_again(path: Path) -> None:
    path.write_text("# Our accounts\n[first]\nshared = true\n")
    add_section(path, "second", '/srv/a "b"', ["ANTHROPIC_API_KEY=sk=1"], shared=False)
    assert path.stat().st_mode & 0o777 == 0o600
    _, second = read_accounts(path, {})
    assert second == Account("second", "api_key")
    assert second.config_dir == '/srv/a "b"'
    assert second.environment["ANTHROPIC_API_KEY"] == "sk=1"
    remove_section(path, "first")
    assert [one.name for one in read_accounts(path, {})] == ["second"]
    assert path.read_text().startswith("# Our accounts\n[second]")
