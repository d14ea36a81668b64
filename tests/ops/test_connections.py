"""Clients that do nothing: connections without a request, requests that stop, and answers that are not read."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, cli_figures, hanging_up

LIMIT = 20
SETTINGS = {
    **NOTHING_KEPT,
    "CLIENT_TIMEOUT_SECONDS": "1",
    "HEADER_TIMEOUT_SECONDS": "1",
    "MAX_CONNECTIONS_PER_ADDRESS": str(LIMIT),
    "WARM_PROCESSES": "1",
    "MAX_CONCURRENT_SESSIONS": "1",
    "ALLOWED_ORIGINS": "*",
    "MAX_PROCESES": "3",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Return a gateway with short limits and a scripted CLI."""
    cli = ScriptedCli(Path(tmp_path_factory.mktemp("cli")))
    started = Gateway({**SETTINGS, **cli.environ})
    yield started
    started.close()


def connect(gateway: Gateway) -> socket.socket:
    address = urlsplit(gateway.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=20)


def test_client_that_never_reads_loses_its_process(gateway: Gateway) -> None:
    """It held its slot until TURN_TIMEOUT_SECONDS, an hour by default."""
    with hanging_up(SocketClient(gateway, "ENDLESS", buffer=2048, stream=True)):
        wait_for(lambda: cli_figures(gateway)["running"] == 1, 10)
        wait_for(lambda: cli_figures(gateway)["running"] == 0, 15)
        wait_for(lambda: "client_closed_request" in gateway.log, 5)


def test_connection_without_a_request_is_closed(gateway: Gateway) -> None:
    with connect(gateway) as silent, connect(gateway) as dripping:
        for _ in range(3):
            dripping.sendall(b"GET")
            time.sleep(0.2)
        assert silent.recv(1) == b""
        assert dripping.recv(1) == b""


def read_response(connection: socket.socket) -> tuple[int, Any]:
    """Return the status and the JSON body of a response."""
    response = HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read())


def test_idle_connection_of_a_client_stays_open(gateway: Gateway) -> None:
    with connect(gateway) as client:
        for _ in range(2):
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_response(client)[0] == 200
            time.sleep(1.3)


def test_request_whose_body_stops_is_refused(gateway: Gateway) -> None:
    with connect(gateway) as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        client.sendall(head + b'{"messages"')
        status, body = read_response(client)
    assert (status, body["error"]["code"]) == (408, "request_timeout")


def test_address_with_too_many_connections_is_refused(gateway: Gateway) -> None:
    gateway.api.close()
    with ExitStack() as stack:
        for _ in range(LIMIT):
            stack.enter_context(connect(gateway))
        refused = stack.enter_context(connect(gateway))
        refused.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, body = read_response(refused)
        assert (status, body["error"]["code"]) == (429, "too_many_connections")
        time.sleep(1.2)  # the silent connections are closed, so there is room again
    gateway.reconnect()
    assert gateway.api.get("/health").status_code == 200
    assert f"127.0.0.1 has {LIMIT} connections" in gateway.log


def test_start_warns_of_strangers_and_of_unknown_settings(gateway: Gateway) -> None:
    wait_for(
        lambda: "Every web page that a user of this machine visits can use the gateway" in gateway.log, 10
    )
    assert "the environment: MAX_PROCESES is not a setting. Did you mean MAX_PROCESSES?" in gateway.log
