"""A request that asks for no hosted or remote tool reaches the model as if the gateway had none of them.

The same requests go through a gateway without these features, and through one whose operator has turned them on.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.model.test_client_bodies import BODIES, body_of_client, model
from tests.standin import Recorded, StandIn
from tests.support.client_bodies import PNG, PNG_URL
from tests.support.gateway import Gateway
from tests.support.mcp_server import running_server
from tests.support.recorded import Body, assistant, user

RESPONSES, MESSAGES, COMPLETIONS = "/v1/responses", "/v1/messages", "/v1/completions"
SCHEMA: Body = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OF_RESPONSES: Body = {"type": "function", "name": "look", "parameters": SCHEMA, "strict": True}
OF_MESSAGES: Body = {"name": "look", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
STRICT: Body = {**SCHEMA, "additionalProperties": False}
FORMAT: Body = {"type": "json_schema", "schema": STRICT}
CALL: Body = {"type": "function_call", "call_id": "toolu_1", "name": "look", "arguments": '{"city": "Rome"}'}
USE: Body = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Rome"}}
IMAGE: Body = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
SAID: list[Body] = [user("Rome?"), assistant([{"type": "text", "text": "I look."}, USE])]

#: Requests by name, each with its path.
REQUESTS: dict[str, tuple[str, Body]] = {
    **{name: ("/v1/chat/completions", body_of_client(name)) for name in BODIES},
    "a response": (RESPONSES, {"input": "Hi", "instructions": "Be brief.", "reasoning": {"effort": "low"}}),
    "tools of a response": (
        RESPONSES,
        {"input": "Hi", "tools": [OF_RESPONSES, {"type": "custom", "name": "patch"}], "tool_choice": "auto"},
    ),
    "items of a response": (
        RESPONSES,
        {
            "input": [
                user([{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": PNG_URL}]),
                CALL,
                {"type": "function_call_output", "call_id": "toolu_1", "output": "sun"},
            ],
            "tools": [OF_RESPONSES],
        },
    ),
    "a format of a response": (RESPONSES, {"input": "Hi", "text": {"format": {**FORMAT, "name": "city"}}}),
    "a message": (MESSAGES, {"messages": [user("Hi")], "system": "Be brief.", "stop_sequences": ["END"]}),
    "thoughts of a message": (
        MESSAGES, {"messages": [user("Hi")], "thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    "tools of a message": (
        MESSAGES,
        {
            "messages": [*SAID, user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": [IMAGE]}])],
            "tools": [OF_MESSAGES],
        },
    ),
    "a format of a message": (MESSAGES, {"messages": [user("Hi")], "output_config": {"format": FORMAT}}),
    "a completion": (COMPLETIONS, {"prompt": "Once upon a time", "max_tokens": 300}),
}  # fmt: skip


@pytest.fixture(scope="module")
def pair(
    cli_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Gateway]]:
    """Yield two gateways: one with the features, and one without."""
    path = tmp_path_factory.mktemp("mcp") / "mcp.json"
    with running_server() as server:
        listed = {"url": server.url, "require_approval": "always"}
        others = {"url": server.url, "keys": ["team"], "on_every_request": True}
        path.write_text(json.dumps({"servers": {"docs": listed, "notes": others}}))
        settings = {"HOSTED_TOOLS": "web_search,web_fetch", "MCP_CONFIG_PATH": str(path)}
        common = {**cli_environ, "MAX_PROCESSES": "2", "WARM_PROCESSES": "1", "KEEP_SECONDS": "0"}
        gateways = Gateway(common), Gateway({**common, **settings, "MCP_ALLOW_ANY_SERVER": "true"})
        yield gateways
        for gateway in gateways:
            gateway.close()
        assert server.methods == []


def sent(record: Recorded) -> tuple[Any, ...]:
    """Return a request byte for byte, without the field about the process that sent it."""
    metadata = json.dumps(record.body["metadata"], separators=(",", ":"), ensure_ascii=False).encode()
    assert metadata in record.raw
    return record.raw.replace(metadata, b""), record.betas, record.path


@pytest.mark.wide
@pytest.mark.parametrize("name", REQUESTS)
def test_request_without_hosted_tools_is_the_same_with_and_without_them(
    pair: tuple[Gateway, Gateway], standin: StandIn, name: str
) -> None:
    path, body = REQUESTS[name]
    standin.default(model)
    body = {"model": "haiku", "max_tokens": 3000, **body} if path == MESSAGES else body
    records, headers = [], []
    for gateway in pair:
        answer = gateway.api.post(path, json=body)
        assert answer.status_code == 200, answer.text
        records.append(sent(standin.messages.last))
        headers.append(
            {header: answer.headers.get(header) for header in ("x-ignored-parameters", "x-repaired")}
        )
    assert records[0] == records[1]
    assert headers[0] == headers[1]
