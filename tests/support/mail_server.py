"""A real SMTP server on loopback (aiosmtpd) that records the emails that it gets, with or without TLS.

https://aiosmtpd.aio-libs.org
"""

import ssl
from dataclasses import dataclass
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.sockets import free_port

USER, PASSWORD = "me@example.com", "pass:word/1"


@dataclass
class Mail:
    """An email that the server got. `user` is None without a login."""

    recipients: list[str]
    data: str
    is_encrypted: bool
    user: str | None


class MailServer:
    """Serves until it is closed. `refusal` refuses all recipients; `tls` is the way to encrypt, if there is one."""

    def __init__(
        self,
        refusal: str = "",
        tls: Literal["", "starttls", "smtps"] = "",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.mails: list[Mail] = []
        self.logins = 0
        self._refusal = refusal
        self._controller = Controller(
            self,
            hostname="localhost",
            port=free_port(),
            ssl_context=context if tls == "smtps" else None,
            tls_context=context if tls == "starttls" else None,
            authenticator=self._authenticate,
            auth_require_tls=tls == "starttls",  # it takes no notice of implicit TLS
        )
        self._controller.start()

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"localhost:{self._controller.port}"

    def close(self) -> None:
        """Stop serving."""
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a recipient, or refuse it."""
        if self._refusal:
            return self._refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Record an email."""
        content: Any = envelope.content
        login: Any = session.auth_data
        transport: Any = server.transport
        is_encrypted = transport.get_extra_info("sslcontext") is not None
        user = login.login.decode() if login else None
        self.mails.append(Mail(envelope.rcpt_tos, content.decode(), is_encrypted, user))
        return "250 OK"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.logins += 1
        is_right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=is_right, handled=False, auth_data=data)
