"""The known state of the CLI's login."""

import pytest

from gateway.claude.cli.protocol import AccountInfo
from gateway.claude.fleet.login import Login
from gateway.errors import NotLoggedIn, RateLimited


@pytest.mark.parametrize(
    ("account", "environ", "is_good"),
    [
        ({"tokenSource": "none", "apiKeySource": "none", "apiProvider": "firstParty"}, {}, False),
        ({"apiProvider": "firstParty"}, {}, False),
        ({"tokenSource": "claude.ai", "apiProvider": "firstParty"}, {}, True),
        ({"apiKeySource": "ANTHROPIC_API_KEY", "apiProvider": "firstParty"}, {}, True),
        ({"subscriptionType": "Claude Max", "apiProvider": "firstParty"}, {}, True),
        ({"email": "o@example.com", "apiProvider": "firstParty"}, {}, False),
        ({"apiProvider": "bedrock"}, {}, True),
        ({"apiProvider": "firstParty"}, {"ANTHROPIC_AUTH_TOKEN": "token"}, True),
    ],
)
def test_account_shows_if_the_cli_is_logged_in(
    account: AccountInfo, environ: dict[str, str], is_good: bool, caplog: pytest.LogCaptureFixture
) -> None:
    login = Login(lambda: "Log in.")
    login.check_account(account, environ)
    assert login.is_good is is_good
    assert ("not logged in. Log in." in caplog.text) is not is_good


def test_refused_login_needs_one_renewal_in_a_while() -> None:
    login = Login(lambda: "Log in.")
    assert not login.needs_renewal(RateLimited("later"))
    assert login.needs_renewal(NotLoggedIn("no"))
    assert not login.needs_renewal(NotLoggedIn("no"))
    login.record_success()
    assert login.is_good is True
