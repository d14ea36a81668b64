"""The channels of alerts, against real servers on loopback."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from gateway.alerts.alert import Notice
from gateway.alerts.channels import build_channels
from gateway.alerts.failures import DeliveryFailed
from gateway.settings import Settings
from tests.support.hook_server import HookServer, MailServer

NOTICE = Notice("alert_1", "disk", "The disk is full: ä", "91 % <full>", {"used_percent": 91}, created_at=1.0)


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with closing(HookServer()) as server:
        yield server


def test_generic_webhook_gets_json_and_its_password(hook: HookServer) -> None:
    settings = replace(Settings(), alert_webhook_url=f"http://me:pass%40word@{hook.address}/hook?a=1")
    build_channels(settings)["webhook"].send(NOTICE)
    (received,) = hook.received
    assert received.path == "/hook?a=1"
    assert received.json["kind"] == "disk"
    assert received.json["data"] == {"used_percent": 91}
    assert received.headers["Authorization"] == "Basic bWU6cGFzc0B3b3Jk"


def test_slack_gets_text_without_its_markup(hook: HookServer) -> None:
    build_channels(replace(Settings(), alert_slack_url=f"http://{hook.address}/T1"))["slack"].send(NOTICE)
    assert hook.received[0].json == {"text": "*The disk is full: ä*\n91 % &lt;full&gt;"}


def test_ntfy_gets_text_and_an_encoded_title(hook: HookServer) -> None:
    build_channels(replace(Settings(), alert_ntfy_url=f"http://:tk_1@{hook.address}/topic"))["ntfy"].send(
        NOTICE
    )
    (received,) = hook.received
    assert received.body == b"91 % <full>"
    assert received.headers["Title"].startswith("=?UTF-8?B?")
    assert received.headers["Authorization"] == "Basic OnRrXzE="


def test_email_goes_to_all_recipients() -> None:
    with closing(MailServer()) as server:
        settings = replace(
            Settings(),
            alert_email_to=("a@example.com", "b@example.com"),
            alert_smtp_url=f"smtp://{server.address}",
        )
        build_channels(settings)["email"].send(NOTICE)
        (mail,) = server.mails
    assert mail.recipients == ["a@example.com", "b@example.com"]
    assert "From: a@example.com" in mail.data


@pytest.mark.parametrize(
    ("status", "is_final"), [(404, True), (410, True), (429, False), (500, False), (302, False)]
)
def test_refusal_names_the_status_and_no_address(status: int, is_final: bool) -> None:
    with closing(HookServer(status)) as server:
        channels = build_channels(replace(Settings(), alert_slack_url=f"http://{server.address}/secret"))
        with pytest.raises(DeliveryFailed) as failure:
            channels["slack"].send(NOTICE)
    assert str(failure.value) == f"HTTP {status}"
    assert failure.value.is_final is is_final


@pytest.mark.parametrize("refusal", ["550 secret@example.com is unknown", "450 later"])
def test_refused_email_fails_without_its_addresses(refusal: str) -> None:
    with closing(MailServer(refusal)) as server:
        url = f"smtp://{server.address}"
        settings = replace(Settings(), alert_email_to=("secret@example.com",), alert_smtp_url=url)
        with pytest.raises(DeliveryFailed) as failure:
            build_channels(settings)["email"].send(NOTICE)
    assert "secret" not in str(failure.value)


def test_unreachable_hook_fails_without_its_address() -> None:
    settings = replace(Settings(), alert_slack_url="http://127.0.0.1:1/secret")
    with pytest.raises(DeliveryFailed, match="Connection refused"):
        build_channels(settings)["slack"].send(NOTICE)
