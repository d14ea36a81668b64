"""The channels of alerts, against real servers on loopback."""

import email
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from gateway.alerts.alert import Notice
from gateway.alerts.channels import build_channels
from gateway.alerts.failures import DeliveryFailed
from gateway.settings import Settings
from tests.support.hook_server import HookServer
from tests.support.mail_server import PASSWORD, USER, MailServer

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


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the certificate of a server on localhost, whose issuer OpenSSL trusts during the test."""
    issuer, bundle = trustme.CA(), tmp_path / "issuer.pem"
    issuer.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("localhost").configure_cert(context)
    return context


def send_mail(server: MailServer, scheme: str, password: str = PASSWORD) -> None:
    url = f"{scheme}://{quote(USER, safe='')}:{quote(password, safe='')}@{server.address}"
    settings = replace(Settings(), alert_email_to=("ops@example.com",), alert_smtp_url=url)
    build_channels(settings)["email"].send(NOTICE)


@pytest.mark.parametrize(("scheme", "tls"), [("smtp", "starttls"), ("smtps", "smtps"), ("smtp", "")])
def test_email_is_sent_with_a_login_and_encrypted_if_the_server_can(
    scheme: str, tls: Any, context: ssl.SSLContext
) -> None:
    with closing(MailServer(tls=tls, context=context)) as server:
        send_mail(server, scheme)
        (mail,) = server.mails
    assert (mail.is_encrypted, mail.user) == (bool(tls), USER)
    assert "The disk is full" in str(email.message_from_string(mail.data, policy=default)["Subject"])


def test_wrong_mail_password_is_final_and_stays_secret(context: ssl.SSLContext) -> None:
    with closing(MailServer(tls="starttls", context=context)) as server:
        with pytest.raises(DeliveryFailed, match="SMTP 535") as failure:
            send_mail(server, "smtp", "a-wrong-password")
        assert not server.mails
    assert failure.value.is_final


@pytest.mark.parametrize(("scheme", "tls"), [("smtp", "starttls"), ("smtps", "smtps")])
def test_mail_server_with_an_untrusted_certificate_gets_no_password(
    scheme: str, tls: Any, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with closing(MailServer(tls=tls, context=context)) as server:
        with pytest.raises(DeliveryFailed, match="TLS failed: CERTIFICATE_VERIFY_FAILED"):
            send_mail(server, scheme)
        assert server.logins == 0


def test_unreachable_hook_fails_without_its_address() -> None:
    settings = replace(Settings(), alert_slack_url="http://127.0.0.1:1/secret")
    with pytest.raises(DeliveryFailed, match="Connection refused"):
        build_channels(settings)["slack"].send(NOTICE)
