"""Uploaded files reach the model by their ids, in every dialect and in every later turn of a conversation."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from tests.standin import Recorded, StandIn, text
from tests.support.api_client import body_of, error_of
from tests.support.gateway import Gateway
from tests.support.pictures import content_of, plain
from tests.support.recorded import process_of, user

PNG, PDF = plain(7, 5), b"%PDF-1.7 about sizes"
MODEL = "claude-haiku-4-5"


def upload(gateway: Gateway, content: bytes, name: str) -> str:
    return str(body_of(gateway.api.post("/v1/files", files={"file": (name, content)}))["id"])


def media_of(record: Recorded) -> list[bytes]:
    """Return the images and documents that reached the model."""
    blocks = [block for message in record.body["messages"] for block in message["content"]]
    return [content_of(block) for block in blocks if block["type"] in ("image", "document")]


def ask_chat(gateway: Gateway, png: str, pdf: str) -> str | None:
    client = openai.OpenAI(api_key="x", base_url=f"{gateway.url}/v1")
    parts: Any = [{"type": "file", "file": {"file_id": id_}} for id_ in (png, pdf)]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    return answer.choices[0].message.content


def ask_response(gateway: Gateway, png: str, pdf: str) -> str:
    client = openai.OpenAI(api_key="x", base_url=f"{gateway.url}/v1")
    parts: Any = [{"type": "input_image", "file_id": png}, {"type": "input_file", "file_id": pdf}]
    return client.responses.create(model=MODEL, input=[{"role": "user", "content": parts}]).output_text


def ask_message(gateway: Gateway, png: str, pdf: str) -> str:
    client = anthropic.Anthropic(api_key="x", base_url=gateway.url)
    parts: Any = [
        {"type": "image", "source": {"type": "file", "file_id": png}},
        {"type": "document", "source": {"type": "file", "file_id": pdf}},
    ]
    answer = client.beta.messages.create(
        model=MODEL,
        max_tokens=99,
        messages=[{"role": "user", "content": parts}],
        betas=["files-api-2025-04-14"],
    )
    return "".join(block.text for block in answer.content if block.type == "text")


@pytest.mark.parametrize("ask", [ask_chat, ask_response, ask_message])
def test_uploaded_files_reach_the_model(
    gateway: Gateway, standin: StandIn, ask: Callable[[Gateway, str, str], str]
) -> None:
    standin.default(text("A picture."))
    client = openai.OpenAI(api_key="x", base_url=f"{gateway.url}/v1")
    files = [
        client.files.create(file=(name, data), purpose="user_data").id
        for name, data in (("a.png", PNG), ("a.pdf", PDF))
    ]
    assert ask(gateway, *files) == "A picture."
    assert media_of(standin.messages.last) == [PNG, PDF]


def test_file_stays_in_the_stored_conversation_and_its_process(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    api, file_id = keeping_gateway.api, upload(keeping_gateway, PNG, "a.png")
    first = body_of(api.create_response([user([{"type": "input_image", "file_id": file_id}])], model=MODEL))
    second = body_of(api.create_response("And now?", model=MODEL, previous_response_id=first["id"]))
    records = list(standin.messages)
    assert process_of(records[0]) == process_of(records[1])
    assert media_of(records[1]) == [PNG]

    api.delete(f"/v1/files/{file_id}")
    third = api.create_response("Still?", model=MODEL, previous_response_id=second["id"])
    assert third.headers["x-repaired"] == "unreadable-file"
    assert media_of(standin.messages.last) == []
    assert file_id in str(standin.messages.last.body)


def test_session_keeps_the_file_of_an_earlier_turn(gateway: Gateway, standin: StandIn) -> None:
    api, file_id = gateway.api, upload(gateway, PNG, "a.png")
    session = api.create_session()
    part = {"type": "file", "file": {"file_id": file_id}}
    assert api.chat([part], model=MODEL, session_id=session).status_code == 200
    assert api.chat("And now?", model=MODEL, session_id=session).status_code == 200
    assert media_of(standin.messages.last) == [PNG]


def test_file_of_another_key_is_refused(start_gateway: Callable[..., Gateway], standin: StandIn) -> None:
    gateway = start_gateway(REQUIRE_AUTH="true", API_KEYS="one,two")
    one, two = gateway.api.with_key("one"), gateway.api.with_key("two")
    file_id = body_of(one.post("/v1/files", files={"file": ("a.png", PNG)}))["id"]
    part = {"type": "file", "file": {"file_id": file_id}}
    error = error_of(two.chat([part], model=MODEL))
    assert error[:3] == (400, "file_not_found", "messages[0].content[0].file.file_id")
    assert one.chat([part], model=MODEL).status_code == 200
