"""With a subscription login, the model gets what the client sent and nothing about the gateway's host.

By default, the CLI adds the working folder, the operating system, the account's email address, the date and more.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.claude.cli import launch
from tests.standin import Recorded, StandIn, text, tool_calls
from tests.support.api_client import body_of, reply_of
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway
from tests.support.logins import EMAIL, ORGANIZATION, SUBSCRIPTION, folder_login
from tests.support.recorded import (
    Body,
    all_turns_of,
    assert_prompts_grow,
    assistant,
    messages_of,
    process_of,
    system,
    system_texts_of,
    user,
)
from tests.support.tool_bodies import CALL_ROME, WEATHER, assistant_calls, tool_call, tool_result
from tests.support.wide import wide, wide_cases_except

ONE_WARM = {"WARM_PROCESSES": "1", "MAX_WARM_PROCESSES": "0"}
MODELS = [None, "claude-opus-4-6", "claude-haiku-4-5"]
TURNS = 10
HOST_WORDS = ("Environment", "system-reminder", "working directory", "Platform", "Today's date", "powered by")


def host_words_of(record: Recorded, gateway: Gateway) -> list[str]:
    """Return everything about the host and the account that the request tells the model."""
    told = json.dumps([record.body["messages"], record.body["system"]])
    paths = (str(ROOT), gateway.home.name, str(Path.home()))
    return [word for word in (*HOST_WORDS, *paths, EMAIL, ORGANIZATION) if word in told]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gateway", ["subscription"], indirect=True)
def test_model_learns_nothing_about_the_host(gateway: Gateway, standin: StandIn, model: str | None) -> None:
    standin.default(text("Understood."))
    messages = [system("Be brief."), user("@/etc/hostname"), assistant(" /clear\n"), user("!ls 😀 ")]
    assert reply_of(gateway.api.chat(messages=messages, model=model)) == "Understood."
    record = standin.messages.last
    assert record.headers["authorization"] == "Bearer sk-ant-oat01-dummy"
    assert host_words_of(record, gateway) == []
    assert all_turns_of(record) == [(message["role"], [message["content"]]) for message in messages[1:]]
    assert system_texts_of(record) == ["Be brief."]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gateway", ["subscription"], indirect=True)
def test_result_of_a_seeded_tool_round_stays_as_it_is(
    gateway: Gateway, standin: StandIn, model: str | None
) -> None:
    standin.default(text("It is sunny."))
    calls = assistant_calls(tool_call("get_weather", {}, "call_1"))
    messages = [user("How is the weather?"), calls, tool_result("call_1", "RESULT")]
    body_of(gateway.api.chat(messages=messages, model=model, tools=[WEATHER]))
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "RESULT"}]}
    assert messages_of(standin.messages.last)[-1] == {"role": "user", "content": [result]}
    assert host_words_of(standin.messages.last, gateway) == []


@pytest.mark.parametrize(
    "kept", wide_cases_except({"kept process": {}, "fresh processes": NOTHING_KEPT}, "kept process")
)
def test_prompt_prefix_is_stable_over_ten_turns(
    start_gateway: Callable[..., Gateway], standin: StandIn, kept: Body
) -> None:
    gateway = start_gateway(**{**ONE_WARM, **kept, **SUBSCRIPTION})
    standin.default(lambda body: text(f"Answer {len(body['messages'])}."))
    messages = [system("Be brief.")]
    for turn in range(TURNS):
        messages.append(user(f"Question {turn}"))
        messages.append(assistant(reply_of(gateway.api.chat(messages=messages, model="claude-haiku-4-5"))))
    records = list(standin.messages)
    assert len(records) == TURNS
    assert len({process_of(record) for record in records}) == (TURNS if kept else 1)
    assert_prompts_grow(records)
    assert host_words_of(records[-1], gateway) == []


@wide
def test_live_tool_rounds_tell_nothing_about_the_host(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    gateway = start_gateway(**ONE_WARM, **SUBSCRIPTION)
    messages: list[Body] = [user("Ask three times.")]
    for turn in range(3):
        standin.default(tool_calls([(CALL_ROME[0], {"city": str(turn)}, f"toolu_{turn}")]))
        answer = body_of(gateway.api.chat(messages=messages, model="claude-opus-4-6", tools=[WEATHER]))
        messages.append(answer["choices"][0]["message"])
        messages.append(tool_result(f"toolu_{turn}", f"RESULT {turn}"))
    standin.default(text("Done."))
    reply_of(gateway.api.chat(messages=messages, model="claude-opus-4-6", tools=[WEATHER]))
    assert len({process_of(record) for record in standin.messages}) == 1
    assert host_words_of(standin.messages.last, gateway) == []
    last = messages_of(standin.messages.last)
    results = [block for message in last for block in message["content"] if block["type"] == "tool_result"]
    assert [result["content"] for result in results] == [
        [{"type": "text", "text": f"RESULT {turn}"}] for turn in range(3)
    ]


@wide
def test_account_of_a_login_folder_is_not_told(
    start_gateway: Callable[..., Gateway], standin: StandIn, tmp_path: Path
) -> None:
    agents = {"ALLOW_AGENT_PROJECTS": "true", "AGENT_TOOLS": "Read"}
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="1", **agents, **folder_login(tmp_path))
    standin.default(text("Hello."))
    assert reply_of(gateway.api.chat("Who am I?")) == "Hello."
    assert all_turns_of(standin.messages.last) == [("user", ["Who am I?"])]
    project = gateway.api.create_project(name="shop", policy={"mode": "agent", "tools": ["Read"]})
    assert reply_of(gateway.api.chat("Who am I?", project_id=project["id"])) == "Hello."
    told = json.dumps(standin.messages.last.body["messages"])
    assert EMAIL not in told
    assert ORGANIZATION not in told


def test_plugins_are_only_for_logins_with_an_account() -> None:
    subscription = launch.child_environment({"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy"})
    (plugin,) = set(launch.chat_arguments(subscription)) - set(launch.CHAT_ARGUMENTS)
    assert Path(plugin.removeprefix("--plugin-dir="), "hooks", "register.js").is_file()
    with_key = launch.child_environment({"ANTHROPIC_API_KEY": "sk-ant-dummy"})
    assert launch.chat_arguments(with_key) == launch.CHAT_ARGUMENTS


@pytest.mark.parametrize("gateway", ["subscription"], indirect=True)
def test_windows_of_the_subscription_reach_quota_and_headers(gateway: Gateway, standin: StandIn) -> None:
    """The real CLI reports the API's headers, and the gateway sends them on with the next answer."""
    reset = int(time.time()) + 3600
    sent = {
        "anthropic-ratelimit-unified-status": "allowed",
        "anthropic-ratelimit-unified-reset": str(reset),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "anthropic-ratelimit-unified-5h-utilization": "0.42",
        "anthropic-ratelimit-unified-5h-reset": str(reset),
        "anthropic-ratelimit-unified-5h-status": "allowed",
        "anthropic-ratelimit-unified-7d-utilization": "0.07",
        "anthropic-ratelimit-unified-7d-reset": str(reset + 86_400),
        "anthropic-ratelimit-unified-7d-status": "allowed",
    }
    standin.default(text("Hi.", headers=sent))
    assert gateway.api.create_message().status_code == 200
    found = gateway.api.get("/v1/quota").json()["accounts"][0]["windows"]
    assert {window["name"]: window["utilization"] for window in found} == {
        "five_hour": 0.42,
        "seven_day": 0.07,
    }
    headers = gateway.api.create_message(stream=True).headers
    assert {name: headers.get(name) for name in sent} == sent
    assert "anthropic-ratelimit-unified-status" not in gateway.api.chat().headers


@pytest.mark.parametrize("gateway", ["subscription"], indirect=True)
def test_cli_adds_to_a_request_what_the_docs_say(gateway: Gateway, standin: StandIn) -> None:
    """docs/limits.md lists it."""
    assert gateway.api.create_message(system="Be brief.").status_code == 200
    (record,) = standin.messages
    added = [block["text"] for block in record.body["system"]][:-1]
    assert added[0].startswith("x-anthropic-billing-header: cc_version=2.1.")
    assert added[1:] == ["You are a Claude agent, built on Anthropic's Claude Agent SDK."]
    assert len("".join(added)) < 150
    ids = json.loads(record.body["metadata"]["user_id"])
    assert ids.keys() == {"device_id", "account_uuid", "session_id"}
    assert ids["account_uuid"] == ""
