"""Requests that gunicorn itself rejects get JSON that clients of both dialects can read, never a page of HTML."""

import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest
import zstandard

from tests.support.gateway import Gateway

POST = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REQUESTS = {
    "header of 20 KB": (POST + b"X-Big: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    "200 headers": (POST + b"X-A: 1\r\n" * 200 + b"\r\n", 431),
    "URL of 9 KB": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "no request line": (b"NONSENSE\r\n\r\n", 400),
    "unknown version": (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
    "wrong method": (b"G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "wrong header": (POST + b"Bad Header: x\r\n\r\n", 400),
    "wrong length": (POST + b"Content-Length: abc\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    "unknown expectation": (POST + b"Expect: tea\r\n\r\n", 417),
    "wrong chunk size": (CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", 400),
    "unknown transfer coding": (POST + b"Transfer-Encoding: tea\r\n\r\n", 501),
    "wrong chunk size of a file": (
        b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"anthropic-version: 2023-06-01\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        400,
    ),
    "unterminated chunk": (CHUNKED + b"5\r\nhelloXX0\r\n\r\n", 400),
}


def send_raw(gateway: Gateway, request: bytes) -> tuple[bytes, bytes]:
    """Return the head and the body of the response to raw bytes."""
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(request)
        file = connection.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = file.readline()
            assert line, head
            head += line
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        return head, file.read(int(length.partition(b":")[2]))


@pytest.mark.parametrize(("request_bytes", "status"), REQUESTS.values(), ids=REQUESTS)
def test_request_that_the_server_rejects_gets_json(
    gateway: Gateway, request_bytes: bytes, status: int
) -> None:
    head, body = send_raw(gateway, request_bytes)
    assert head.split()[1] == str(status).encode()
    assert b"\r\nx-request-id: req_" in head
    answer = json.loads(body)
    assert (answer["type"], answer["error"]["type"]) == ("error", "invalid_request_error")
    assert answer["error"]["message"]


@pytest.mark.parametrize(
    "header", ["SCRIPT_NAME: /health", "Script-Name: /v1", "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off"]
)
def test_headers_for_gunicorn_have_no_effect(gateway: Gateway, header: str) -> None:
    """gunicorn trusts clients on this machine, and so everyone behind a proxy on it, and answered 500 or 400."""
    head, body = send_raw(
        gateway, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + header.encode() + b"\r\n\r\n"
    )
    assert head.split()[1] == b"200"
    assert json.loads(body)["data"]


def test_gateway_serves_the_next_client_after_rejected_requests(gateway: Gateway) -> None:
    for request, _ in REQUESTS.values():
        send_raw(gateway, request)
    assert gateway.api.get("/health").status_code == 200


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_compressed_request_is_answered(gateway: Gateway, encoding: str, compress: object) -> None:
    assert callable(compress)
    body = compress(json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode())
    answer = gateway.api.post("/v1/chat/completions", content=body, headers={"content-encoding": encoding})
    assert answer.status_code == 200
