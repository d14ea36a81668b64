"""OpenTelemetry of a running gateway: spans of streamed answers arrive, and a missing receiver disturbs nothing."""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.scripted import ScriptedCli

pytestmark = pytest.mark.wide

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with closing(OtlpReceiver()) as server:
        yield server


def start(folder: Path, url: str) -> Gateway:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "LOG_FORMAT": "json",
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
    }
    return Gateway({**NOTHING_KEPT, **ScriptedCli(folder).environ, **settings})


def test_streamed_answer_becomes_a_trace(receiver: OtlpReceiver, tmp_path: Path) -> None:
    with closing(start(tmp_path, receiver.url)) as gateway:
        gateway.await_warm(1)
        gateway.api.headers["traceparent"] = f"00-{TRACE}-00f067aa0ba902b7-01"
        events = list(gateway.api.stream_chat("hello"))
        assert events[-1] == "[DONE]"
        wait_for(lambda: len(receiver.spans) >= 10)
        assert f'"trace_id": "{TRACE}"' in gateway.log
    assert {span.trace_id for span in receiver.spans} == {TRACE}
    request = receiver.find("POST /v1/chat/completions")
    *before, answer = receiver.below(request)
    assert [span.name for span in before] == ["auth", "limit", "parse"]
    phases = receiver.below(answer)
    assert [span.name for span in phases] == ["queue", "process", "set-up", "first token", "stream"]
    assert request.start <= before[0].start
    assert abs(answer.end - request.end) < 0.2e9
    assert all(one.end == other.start for one, other in pairwise(phases))
    assert answer.attributes["gateway.process"] == "warm"
    assert "gen_ai.server.time_to_first_token" in receiver.points  # sent at the end of the worker


def test_receiver_that_is_gone_disturbs_neither_answers_nor_the_stop(tmp_path: Path) -> None:
    with closing(start(tmp_path, "http://127.0.0.1:9")) as gateway:
        assert [gateway.api.chat().status_code for _ in range(3)] == [200, 200, 200]
        time.sleep(0.5)  # the exporter tries
        began = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - began < 6
        assert "Traceback" not in gateway.log
