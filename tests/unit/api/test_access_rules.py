"""Host names and web pages that the gateway accepts. tests/http/test_web_pages.py has the routes."""

import pytest

from gateway.api.http.access_rules import AccessRules
from gateway.settings import Settings


@pytest.mark.parametrize(
    ("host", "is_local", "is_open"),
    [
        ("localhost", True, True),
        ("LOCALHOST:8000", True, True),
        ("localhost.:8000", True, True),
        ("chat.localhost", True, True),
        ("127.0.0.1:8000", True, True),
        ("10.1.2.3", True, True),
        ("[::1]:8000", True, True),
        ("[fe80::1%eth0]:8000", True, True),
        ("host.docker.internal:8000", True, True),
        ("gateway:8000", False, True),  # a service of Docker Compose
        ("claude_gateway", False, True),  # an upstream of nginx
        ("evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("127.0.0.1.nip.io", False, False),
        ("evil.internal", False, False),
        ("localhost@evil.example", False, False),
        ("localhost:8000.evil.example", False, False),
        ("localhost:8000:8000", False, False),
        ("evil.example,localhost", False, False),
        ("gateway evil", False, False),
    ],
)
def test_only_names_of_this_machine_are_accepted(host: str, is_local: bool, is_open: bool) -> None:
    """With HOST=0.0.0.0, the names that only the local network knows are accepted, too."""
    assert AccessRules(Settings()).allows_host(host) == is_local
    assert AccessRules(Settings(host="0.0.0.0")).allows_host(host) == is_open


def test_name_of_the_machine_is_accepted_on_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "mini.home.example")
    rules = AccessRules(Settings(host="0.0.0.0"))
    assert rules.allows_host("mini.home.example:8000")
    assert not rules.allows_host("other.home.example:8000")
    assert not AccessRules(Settings()).allows_host("mini.home.example:8000")


@pytest.mark.parametrize(
    "origin",
    ["null", "", "https://", "http://localhost.evil.example", "https://localhost:1@evil.example", "data:x"]
    + ["http://evil.example/http://localhost", "ftp://localhost", "app:", "https://app://x", "javascript:1"],
)
def test_origin_that_only_looks_local_is_refused(origin: str) -> None:
    assert not AccessRules(Settings()).allows_page(origin, "localhost:8000")


def test_listed_origins_and_names_are_no_regular_expressions() -> None:
    rules = AccessRules(Settings(allowed_origins=("https://a.example",), allowed_hosts=("a.example",)))
    assert rules.allows_page("https://a.example", "localhost")
    assert not rules.allows_page("https://axexample", "localhost")
    assert not rules.allows_host("axexample.com")
    assert not rules.allows_page("https://b.a.example", "localhost")
