"""Send notices by email, over SMTP."""

import ipaddress
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote, urlsplit

from gateway.alerts.alert import Notice
from gateway.alerts.failures import DeliveryFailed, describe_failure

SECONDS = 10.0  # for each step
DEFAULT_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True, repr=False)
class Mailer:
    """A channel that sends emails through the server at `url`: `smtp://USER:PASSWORD@HOST:PORT`, or `smtps://…`."""

    url: str
    sender: str
    recipients: Sequence[str]

    def send(self, notice: Notice) -> None:
        """Send a notice to all recipients. Raises DeliveryFailed."""
        try:
            server = _connect(urlsplit(self.url))
            with closing(server):
                server.send_message(self._compose(notice))
                with suppress(smtplib.SMTPException, OSError):  # the server has taken the message
                    server.quit()
        except smtplib.SMTPResponseException as error:  # the server's words may repeat what it was sent
            is_final = 500 <= error.smtp_code < 600
            raise DeliveryFailed(f"SMTP {error.smtp_code}", is_final=is_final) from None
        except smtplib.SMTPRecipientsRefused:
            raise DeliveryFailed("the server refused all recipients", is_final=True) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(describe_failure(error)) from None

    def _compose(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = " ".join(notice.title.split())
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(notice.id, self.sender.rpartition("@")[2] or "localhost")
        message.set_content(notice.text)
        return message


def _connect(url: SplitResult) -> smtplib.SMTP:
    """Return a connection, encrypted if the server can. A password is sent over an encrypted one only."""
    host, port = url.hostname or "localhost", url.port or DEFAULT_PORTS[url.scheme]
    context = ssl.create_default_context()
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        server.ehlo()
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif url.scheme == "smtp" and url.password and not _is_loopback(host):
            raise DeliveryFailed("the server cannot encrypt, so the password was not sent", is_final=True)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
    except BaseException:
        server.close()
        raise
    return server


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
