"""The advice for a CLI without a valid login."""

import pytest

from gateway.claude.cli.login_command import advise_account_login, advise_login, login_environment


@pytest.mark.parametrize(
    ("environ", "advice"),
    [
        ({}, "Run `'/opt/my cli/claude' auth login` as the gateway's user, or set CLAUDE_API_KEY."),
        (
            {"CLAUDE_CONFIG_DIR": "/srv/login"},
            "Run `CLAUDE_CONFIG_DIR=/srv/login '/opt/my cli/claude' auth login` as the gateway's user, "
            "or set CLAUDE_API_KEY.",
        ),
        (
            {"ANTHROPIC_API_KEY": "sk-ant-1"},
            "Correct CLAUDE_API_KEY, or remove it and run `'/opt/my cli/claude' auth login` as the gateway's user.",
        ),
        (
            {"CLAUDE_CODE_OAUTH_TOKEN": "token"},
            "Correct CLAUDE_CODE_OAUTH_TOKEN, or remove it and run `'/opt/my cli/claude' auth login` as the "
            "gateway's user.",
        ),
    ],
)
def test_advice_names_the_command_or_the_credential_to_correct(environ: dict[str, str], advice: str) -> None:
    assert advise_login("/opt/my cli/claude", environ) == advice


def test_login_runs_without_credentials_that_would_hide_it() -> None:
    environ = {"HOME": "/home/me", "CLAUDE_CONFIG_DIR": "/srv/login", "ANTHROPIC_API_KEY": "sk-ant-1"}
    assert login_environment(environ) == {"HOME": "/home/me", "CLAUDE_CONFIG_DIR": "/srv/login"}


def test_advice_names_the_folder_or_the_variables_of_an_account() -> None:
    command = "CLAUDE_CONFIG_DIR=/srv/a /opt/claude auth login"
    assert advise_account_login("/opt/claude", "a", "/srv/a") == f"Run `{command}` as the gateway's user."
    assert "variables of the account a " in advise_account_login("/opt/claude", "a", None)
