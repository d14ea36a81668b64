"""Call the gateway through an OpenAI SDK and print the results as JSON.

The Python of any SDK version runs this script, with the gateway's URL as its argument.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import openai

MODEL = "claude-haiku-4-5"
OPTIONS: Any = {"api_key": "unused", "max_retries": 0, "timeout": 60}


def arguments(text: str, **fields: Any) -> Any:
    """Return the arguments of a chat completion."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def streaming_completions(client: Any) -> Any:
    """Return the `chat.completions` that has the `.stream()` helper; in 1.x it is under `beta`."""
    completions = client.chat.completions
    return completions if hasattr(completions, "stream") else client.beta.chat.completions


def stream_facts(chunks: Sequence[Any]) -> dict[str, Any]:
    """Return the facts about a stream that tests compare."""
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


def completion_facts(completion: Any) -> dict[str, Any]:
    """Return the facts about a completion that tests compare."""
    choice = completion.choices[0]
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "model": completion.model,
        "sums": completion.usage.prompt_tokens + completion.usage.completion_tokens
        == completion.usage.total_tokens,
    }


def failure(call: Callable[[], Any]) -> dict[str, Any]:
    """Return the facts about the error that a call raises."""
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


def raw_completion(client: openai.OpenAI) -> dict[str, Any]:
    """Complete a chat with access to the response's headers."""
    response = client.chat.completions.with_raw_response.create(
        **arguments("hi", extra_headers={"x-request-id": "mine-1"})
    )
    return {"id": response.headers["x-request-id"], **completion_facts(response.parse())}


def helper_completion(client: openai.OpenAI) -> dict[str, Any]:
    """Complete a chat with the `.stream()` helper."""
    with streaming_completions(client).stream(**arguments("hi")) as stream:
        texts = [event.delta for event in stream if event.type == "content.delta"]
        return {"deltas": "".join(texts), **helper_facts(stream.get_final_completion())}


def helper_facts(completion: Any) -> dict[str, Any]:
    """Return the facts about the helper's completion, which has usage only on request."""
    return {"text": completion.choices[0].message.content, "finish": completion.choices[0].finish_reason}


def models(client: openai.OpenAI) -> dict[str, Any]:
    """List the models and retrieve one of them."""
    listed = [model.id for model in client.models.list()]
    return {"listed": MODEL in listed or "haiku" in listed, "one": client.models.retrieve(MODEL).id}


def synchronous(client: openai.OpenAI) -> dict[str, Any]:
    """Make all calls of the synchronous client."""
    create = client.chat.completions.create
    usage = {"include_usage": True}
    return {
        "completion": completion_facts(create(**arguments("hi"))),
        "stream": stream_facts(list(create(**arguments("hi", stream=True)))),
        "usage": stream_facts(list(create(**arguments("hi", stream=True, stream_options=usage)))),
        "helper": helper_completion(client),
        "raw": raw_completion(client),
        "models": models(client),
        "RateLimitError": failure(lambda: create(**arguments("LIMIT"))),
        "BadRequestError": failure(lambda: create(**arguments("hi", logprobs=True))),
        "NotFoundError": failure(lambda: client.models.retrieve("gpt-none")),
        "unknown model": failure(lambda: create(**arguments("hi", stream=True) | {"model": "gpt-none"})),
        "overloaded": failure(lambda: create(**arguments("OVERLOADED", stream=True))),
        "cut": failure(lambda: list(create(**arguments("CUT", stream=True)))),
    }


async def asynchronous(client: openai.AsyncOpenAI) -> dict[str, Any]:
    """Make the same calls of the asynchronous client, concurrently."""
    create = client.chat.completions.create

    async def stream() -> dict[str, Any]:
        return stream_facts([chunk async for chunk in await create(**arguments("hi", stream=True))])

    async def help_stream() -> dict[str, Any]:
        async with streaming_completions(client).stream(**arguments("hi")) as stream:
            return helper_facts(await stream.get_final_completion())

    async with client:
        completion, streamed, final = await asyncio.gather(create(**arguments("hi")), stream(), help_stream())
        listed = [model.id async for model in client.models.list()]
    return {
        "completion": completion_facts(completion),
        "stream": streamed,
        "helper": final,
        "models": bool(listed),
    }


def main() -> None:
    """Run all calls and print their results."""
    url = f"{sys.argv[1]}/v1"
    results: dict[str, Any] = {"version": openai.__version__}
    with openai.OpenAI(base_url=url, **OPTIONS) as client:
        results["sync"] = synchronous(client)
    results["async"] = asyncio.run(asynchronous(openai.AsyncOpenAI(base_url=url, **OPTIONS)))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
