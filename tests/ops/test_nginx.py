"""The nginx site in deploy/: a real nginx in front of a real gateway."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2 as httpx
import pytest

from gateway.settings import Settings
from tests.standin import StandIn, hang, text
from tests.support.gateway import Gateway, wait_for
from tests.support.nginx import SITE, Nginx, needs_nginx
from tests.support.response_client import connect, text_of
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, cli_figures, free_port, hanging_up

pytestmark = needs_nginx

STREAMS = 100
Start = Callable[..., Gateway]
ASK = {"messages": [{"role": "user", "content": "hi"}]}


@contextlib.contextmanager
def nginx(folder: Path, *upstreams: str) -> Iterator[Nginx]:
    """Run nginx during the block."""
    server = Nginx(folder, *upstreams)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def front(gateway: Gateway, tmp_path: Path) -> Iterator[Nginx]:
    """Yield nginx in front of the shared gateway."""
    with nginx(tmp_path, gateway.url.removeprefix("http://")) as server:
        yield server


def test_streams_arrive_token_by_token(front: Nginx, gateway: Gateway, standin: StandIn) -> None:
    """The words so far arrive although the answer never continues, and a disconnect then stops the turn."""
    standin.reply(hang(after=3))
    client = SocketClient(gateway, stream=True, url=front.url)
    with hanging_up(client):
        client.read_until(b"word2")
        assert not standin.messages.last.finished
    standin.wait_for(lambda: standin.messages.last.aborted, 5)


def test_websocket_passes_nginx(front: Nginx, standin: StandIn) -> None:
    standin.default(text("Hello"))
    with connect(front) as client:
        assert [text_of(client.create("hi")) for _ in range(2)] == ["Hello", "Hello"]


def test_disconnect_before_the_answer_stops_the_turn(
    front: Nginx, gateway: Gateway, standin: StandIn
) -> None:
    standin.reply(text("late", head_delay=60))
    client = SocketClient(gateway, url=front.url)
    with hanging_up(client):
        standin.wait_for(lambda: len(standin.messages) == 1, 20)
    standin.wait_for(lambda: standin.messages.last.aborted, 5)


def test_answers_and_errors_pass_unchanged(front: Nginx, standin: StandIn) -> None:
    standin.reply(text("Hello"))
    body = {**ASK, "metadata": {"padding": "x" * 3_000_000}}
    with httpx.Client(base_url=front.url, timeout=60, trust_env=False) as client:
        answer = client.post("/v1/chat/completions", json=body)
        refused = client.post("/v1/chat/completions", json={"messages": []})
        missing = client.get("/v1/models/nobody")
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    assert answer.headers["x-request-id"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "missing_messages")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.wide
def test_a_hundred_streams_run_at_once(start_gateway: Start, tmp_path: Path) -> None:
    cli = ScriptedCli(tmp_path)
    limit = str(STREAMS)
    gateway = start_gateway(
        **cli.environ, MAX_PROCESSES=limit, MAX_CONCURRENT_SESSIONS=limit, START_TIMEOUT_SECONDS="100"
    )
    address = gateway.url.removeprefix("http://")
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(nginx(tmp_path, address))
        streams = [SocketClient(gateway, "WAIT", stream=True, url=front.url) for _ in range(STREAMS)]
        stack.enter_context(hanging_up(*streams))
        for stream in streams:
            stream.read_until(b"so far", 60)
        assert cli_figures(gateway)["running"] == STREAMS
        cli.finish_waiting()
        for stream in streams:
            stream.read_until(b"[DONE]", 60)
            assert b" and on" in stream.received


class Upstream(ThreadingHTTPServer):
    """A gateway for tests of routing. It answers with its address, or closes the connection if `breaks` is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), UpstreamHandler)
        self.breaks = False
        self.requests = 0
        threading.Thread(target=self.serve_forever, args=(0.05,)).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class UpstreamHandler(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.requests += 1
        if not self.server.breaks:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.address.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def upstreams() -> Iterator[list[Upstream]]:
    servers = [Upstream(), Upstream()]
    yield servers
    for server in servers:
        server.close()


def upstreams_by_key(front: Nginx, header: str, keys: int = 12) -> list[str]:
    """Return the upstream that answers a request with each of some keys."""
    prefix = "Bearer " if header == "authorization" else ""
    return [
        httpx.post(front.url, json=ASK, headers={header: f"{prefix}key-{number}"}, trust_env=False).text
        for number in range(keys)
    ]


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_same_key_goes_to_the_same_gateway(upstreams: list[Upstream], tmp_path: Path, header: str) -> None:
    """If its gateway cannot be reached, the key goes to the other one."""
    with nginx(tmp_path, *(upstream.address for upstream in upstreams)) as front:
        chosen = upstreams_by_key(front, header)
        assert set(chosen) == {upstream.address for upstream in upstreams}
        assert upstreams_by_key(front, header) == chosen
        lost, other = upstreams
        lost.server_close()
        wait_for(lambda: set(upstreams_by_key(front, header)) == {other.address})


def test_request_is_never_sent_twice(upstreams: list[Upstream], tmp_path: Path) -> None:
    for upstream in upstreams:
        upstream.breaks = True
    with nginx(tmp_path, *(upstream.address for upstream in upstreams)) as front:
        answer = httpx.post(front.url, json=ASK, timeout=30, trust_env=False)
    assert answer.status_code == 502
    assert sum(upstream.requests for upstream in upstreams) == 1


def test_errors_of_nginx_itself_have_the_shape_of_the_gateway(tmp_path: Path) -> None:
    with (
        nginx(tmp_path, f"127.0.0.1:{free_port()}") as front,
        httpx.Client(base_url=front.url, timeout=60, trust_env=False) as client,
    ):
        unreachable = client.get("/health")
        too_large = client.post("/", content=b"x" * (Settings().max_request_bytes + 1))
        hidden = client.get("/metrics")
        too_many = wait_for(lambda: next((a for a in [client.get("/")] if a.status_code == 429), None), 60)
    assert (unreachable.status_code, unreachable.json()["error"]["code"]) == (502, "gateway_unreachable")
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "request_too_large")
    assert (too_many.status_code, too_many.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert too_many.headers["retry-after"] == "1"
    assert hidden.status_code == 404


def test_limits_of_the_site_match_the_settings() -> None:
    site = SITE.read_text("utf-8")
    megabytes = re.search(r"client_max_body_size (\d+)m;", site)
    seconds = re.search(r"proxy_read_timeout (\d+)s;", site)
    assert megabytes
    assert int(megabytes[1]) << 20 == Settings().max_request_bytes
    assert seconds
    assert int(seconds[1]) > Settings().turn_timeout_seconds
    assert f"server 127.0.0.1:{Settings().port};" in site
