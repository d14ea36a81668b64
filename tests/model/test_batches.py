"""Batches by the real SDKs, on the real CLI."""

import io
import json

import anthropic
import openai
import pytest

from tests.support.batches import chat_line, message_request
from tests.support.gateway import Gateway, wait_for
from tests.support.wide import wide

pytestmark = pytest.mark.usefixtures("echoing_model")


@wide
def test_openai_sdk_creates_and_reads_a_batch(gateway: Gateway) -> None:
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="openai-batches", max_retries=0)
    lines = [chat_line("one", "first"), chat_line("two", "second", logprobs=True)]
    content = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("in.jsonl", io.BytesIO(content)), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"run": "1"},
        output_expires_after={"anchor": "created_at", "seconds": 3600},
    )
    wait_for(lambda: client.batches.retrieve(batch.id).status == "completed", 60)
    batch = client.batches.retrieve(batch.id)
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 1)
    assert batch.usage is not None
    assert batch.usage.output_tokens > 0
    assert batch.output_file_id is not None
    assert batch.error_file_id is not None
    (answer,) = map(json.loads, client.files.content(batch.output_file_id).text.splitlines())
    assert answer["response"]["body"]["choices"][0]["message"]["content"] == "You said first"
    (failure,) = map(json.loads, client.files.content(batch.error_file_id).text.splitlines())
    assert failure["response"]["status_code"] == 400
    assert [one.id for one in client.batches.list(limit=1)] == [batch.id]
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_anthropic_sdk_creates_and_reads_a_batch(gateway: Gateway) -> None:
    client = anthropic.Anthropic(base_url=gateway.url, api_key="anthropic-batches", max_retries=0)
    requests = [message_request("one", "first"), message_request("two", "second", temperature="warm")]
    batch = client.messages.batches.create(requests=requests)  # type: ignore[arg-type]
    wait_for(lambda: client.messages.batches.retrieve(batch.id).processing_status == "ended", 60)
    results = {one.custom_id: one.result for one in client.messages.batches.results(batch.id)}
    assert results["one"].type == "succeeded"
    assert results["one"].message.content[0].type == "text"
    assert results["one"].message.content[0].text == "You said first"
    assert results["two"].type == "errored"
    assert results["two"].error.error.type == "invalid_request_error"
    assert [one.id for one in client.messages.batches.list(limit=1)] == [batch.id]
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
