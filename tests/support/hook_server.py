"""Real HTTP and SMTP servers on loopback that record the alerts that they get."""

import json
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """A request that a hook got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class HookServer(ThreadingHTTPServer):
    """Answers each POST with the next of `statuses`, or with 200, and records it."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.received: list[Received] = []
        super().__init__(("127.0.0.1", 0), _Hook)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()


class _Hook(BaseHTTPRequestHandler):
    server: HookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(self.path, dict(self.headers), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@dataclass
class Mail:
    """An email that the SMTP server got."""

    recipients: list[str] = field(default_factory=list)
    data: str = ""


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as smtplib needs (RFC 5321), and records the emails. `refusal` refuses all recipients."""

    daemon_threads = True

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.mails: list[Mail] = []
        super().__init__(("127.0.0.1", 0), _MailSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.say("220 test")
        mail = Mail()
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.say("354 go on")
                mail.data = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                self.server.mails.append(mail)
            if word == b"RCPT":
                mail.recipients.append(line.decode().partition("<")[2].partition(">")[0])
            self.say(self.server.refusal if word == b"RCPT" and self.server.refusal else "250 ok")
            if word == b"QUIT":
                return

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
