"""What an OpenAI SDK makes of the gateway, as JSON on stdout. Run by the Python of any SDK version: URL as argument."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import openai

MODEL = "claude-haiku-4-5"
OPTIONS: Any = {"api_key": "unused", "max_retries": 0, "timeout": 60}


def asking(text: str, **fields: Any) -> Any:
    """Arguments of a completion."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def helper(client: Any) -> Any:
    """`chat.completions`, where it has the `.stream()` helper: under `beta` in 1.x."""
    completions = client.chat.completions
    return completions if hasattr(completions, "stream") else client.beta.chat.completions


def gather(chunks: Sequence[Any]) -> dict[str, Any]:
    """What matters of a stream."""
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    return {
        "text": "".join(delta.content or "" for delta in deltas),
        "roles": [delta.role for delta in deltas if delta.role],
        "finish": [
            choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason
        ],
        "ids": len({chunk.id for chunk in chunks}),
        "tokens": [usage.total_tokens for usage in usages],
        "last_has_choices": bool(chunks[-1].choices),
    }


def whole(completion: Any) -> dict[str, Any]:
    """What matters of a completion."""
    choice = completion.choices[0]
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "model": completion.model,
        "sums": completion.usage.prompt_tokens + completion.usage.completion_tokens
        == completion.usage.total_tokens,
    }


def failure(call: Callable[[], Any]) -> dict[str, Any]:
    """The error that a call raises."""
    try:
        call()
    except openai.APIStatusError as error:
        return {
            "class": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "param": error.param,
            "type": error.type,
            "has_id": bool(error.request_id),
        }
    except openai.APIError as error:
        return {"class": type(error).__name__, "code": error.code, "type": error.type}
    return {"class": None}


def raw(client: openai.OpenAI) -> dict[str, Any]:
    """With the response's headers."""
    response = client.chat.completions.with_raw_response.create(
        **asking("hi", extra_headers={"x-request-id": "mine-1"})
    )
    return {"id": response.headers["x-request-id"], **whole(response.parse())}


def helped(client: openai.OpenAI) -> dict[str, Any]:
    """By the `.stream()` helper."""
    with helper(client).stream(**asking("hi")) as stream:
        texts = [event.delta for event in stream if event.type == "content.delta"]
        return {"deltas": "".join(texts), **whole_or_without_usage(stream.get_final_completion())}


def whole_or_without_usage(completion: Any) -> dict[str, Any]:
    """The helper's completion; it has usage only where that was asked for."""
    return {"text": completion.choices[0].message.content, "finish": completion.choices[0].finish_reason}


def models(client: openai.OpenAI) -> dict[str, Any]:
    """The list and one of it."""
    listed = [model.id for model in client.models.list()]
    return {"listed": MODEL in listed or "haiku" in listed, "one": client.models.retrieve(MODEL).id}


def synchronous(client: openai.OpenAI) -> dict[str, Any]:
    """All calls of the plain client."""
    create = client.chat.completions.create
    usage = {"include_usage": True}
    return {
        "whole": whole(create(**asking("hi"))),
        "stream": gather(list(create(**asking("hi", stream=True)))),
        "usage": gather(list(create(**asking("hi", stream=True, stream_options=usage)))),
        "helper": helped(client),
        "raw": raw(client),
        "models": models(client),
        "RateLimitError": failure(lambda: create(**asking("LIMIT"))),
        "BadRequestError": failure(lambda: create(**asking("hi", logprobs=True))),
        "NotFoundError": failure(lambda: client.models.retrieve("gpt-none")),
        "unknown model": failure(lambda: create(**asking("hi", stream=True) | {"model": "gpt-none"})),
        "overloaded": failure(lambda: create(**asking("OVERLOADED", stream=True))),
        "cut": failure(lambda: list(create(**asking("CUT", stream=True)))),
    }


async def asynchronous(client: openai.AsyncOpenAI) -> dict[str, Any]:
    """The same of the async client, side by side."""
    create = client.chat.completions.create

    async def stream() -> dict[str, Any]:
        return gather([chunk async for chunk in await create(**asking("hi", stream=True))])

    async def helped() -> dict[str, Any]:
        async with helper(client).stream(**asking("hi")) as stream:
            return whole_or_without_usage(await stream.get_final_completion())

    async with client:
        completion, streamed, final = await asyncio.gather(create(**asking("hi")), stream(), helped())
        listed = [model.id async for model in client.models.list()]
    return {"whole": whole(completion), "stream": streamed, "helper": final, "models": bool(listed)}


def main() -> None:
    """Run everything."""
    url = f"{sys.argv[1]}/v1"
    results: dict[str, Any] = {"version": openai.__version__}
    with openai.OpenAI(base_url=url, **OPTIONS) as client:
        results["sync"] = synchronous(client)
    results["async"] = asyncio.run(asynchronous(openai.AsyncOpenAI(base_url=url, **OPTIONS)))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
