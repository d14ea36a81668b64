"""Legacy completions through the real CLI: prompts and choices, complete and streamed."""

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from openai import BadRequestError, OpenAI

from tests.standin import StandIn, stream_error, text
from tests.standin.prompt import last_user_text
from tests.support.gateway import Gateway
from tests.support.recorded import Body, all_turns_of


@pytest.fixture
def openai(gateway: Gateway) -> Iterator[Any]:
    http = httpx.Client(trust_env=False, timeout=60)
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="unused", max_retries=0, http_client=http) as client:
        yield client


def repeat_in_capitals(body: Body) -> Any:
    """Answer as the model, with the prompt in capitals."""
    return text(last_user_text(body).upper())


def test_prompt_reaches_the_model_verbatim(openai: Any, standin: StandIn) -> None:
    standin.default(text("done"))
    answer = openai.completions.create(
        model="haiku", prompt=" /clear @/etc/hostname\n", max_tokens=50, echo=True
    )
    assert answer.choices[0].text == " /clear @/etc/hostname\ndone"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "text_completion"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert all_turns_of(standin.messages.last) == [("user", [" /clear @/etc/hostname\n"])]
    assert standin.messages.last.body["max_tokens"] == 50


def test_each_prompt_gets_n_choices(openai: Any, standin: StandIn) -> None:
    standin.default(repeat_in_capitals)
    answer = openai.completions.create(model="haiku", prompt=["one", "two"], n=2)
    assert [(choice.index, choice.text) for choice in answer.choices] == [
        (0, "ONE"),
        (1, "ONE"),
        (2, "TWO"),
        (3, "TWO"),
    ]
    assert len(standin.messages) == 4


def test_several_prompts_share_one_stream(openai: Any, standin: StandIn) -> None:
    standin.default(repeat_in_capitals)
    texts = {0: "", 1: ""}
    finished = []
    for chunk in openai.completions.create(model="haiku", prompt=["one", "two"], stop=["W"], stream=True):
        (choice,) = chunk.choices
        texts[choice.index] += choice.text
        finished += [choice.finish_reason] if choice.finish_reason else []
    assert texts == {0: "ONE", 1: "T"}
    assert finished == ["stop", "stop"]


def test_errors_before_and_during_a_stream(openai: Any, gateway: Gateway, standin: StandIn) -> None:
    with pytest.raises(BadRequestError) as raised:
        openai.completions.create(model="haiku", prompt="a", suffix="b")
    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", "suffix")
    standin.default(stream_error(after=2))
    answer = gateway.api.create_completion("a", stream=True)
    assert answer.text.rstrip().rpartition("data: ")[2].startswith('{"error":')
