"""A legacy completion request as Turns, one for each prompt. The other direction is in `completions_answers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.dialects.chat import parameters as chat_parameters
from gateway.dialects.common.field_errors import invalid, unsupported
from gateway.dialects.common.parameters import Policy
from gateway.dialects.common.text import is_blank, well_formed
from gateway.turn import Message, Turn

MAX_CHOICES = 8  # prompts times n: each is a turn of its own

_POLICY = Policy(
    honoured=frozenset({
        "prompt", "model", "max_tokens", "temperature", "top_p", "stop", "n", "echo", "stream", "stream_options",
        "suffix", "logprobs",
    }),
    refused={},
    defaults={"best_of": (1,), "frequency_penalty": (0,), "presence_penalty": (0,)},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A request understood. Each turn is to be run `n` times; `echoes` holds what stands before each choice."""

    turns: tuple[Turn, ...]
    n: int
    echoes: tuple[str, ...]
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]


def parse_request(body: dict[str, Any]) -> CompletionRequest:
    """Translates a body that CompletionSchema has loaded. The prompt is the user's message, word for word.

    Raises InvalidRequest, or UnsupportedParameter for what would change the answer and cannot be honoured.
    """
    if body.get("suffix"):
        raise unsupported("suffix", "Claude cannot insert text; put both halves into the prompt.")
    if body.get("logprobs") is not None and body["logprobs"] is not False:
        raise unsupported("logprobs", "Claude gives no probabilities.")
    prompts, n = _prompts(body["prompt"]), body.get("n") or 1
    if len(prompts) * n > MAX_CHOICES:
        raise invalid(
            "prompt", f"At most {MAX_CHOICES} answers (prompts times `n`) can be asked for at once."
        )
    return CompletionRequest(
        turns=tuple(_turn(prompt, body) for prompt in prompts),
        n=n,
        echoes=tuple(prompt if body.get("echo") else "" for prompt in prompts for _ in range(n)),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        ignored=_POLICY.ignored(body),
    )


def _prompts(given: str | list[Any]) -> list[str]:
    if isinstance(given, str):
        return [_prompt(given, "prompt")]
    if not given:
        raise invalid("prompt", "A prompt is needed.")
    if all(isinstance(prompt, int) for prompt in given):
        raise _tokens("prompt")
    return [_prompt(prompt, f"prompt[{index}]") for index, prompt in enumerate(given)]


def _prompt(prompt: Any, where: str) -> str:
    if isinstance(prompt, list):
        raise _tokens(where)
    if not isinstance(prompt, str) or is_blank(prompt):
        raise invalid(where, "Expected text that is not blank.")
    return well_formed(prompt)


def _tokens(where: str) -> Exception:
    return unsupported(where, "Prompts of tokens are not understood, as Claude has others; send text.")


def _turn(prompt: str, body: dict[str, Any]) -> Turn:
    message = Message("user", ({"type": "text", "text": prompt},))
    sampling = chat_parameters.sampling(body)
    return Turn(messages=(message,), requested_model=body.get("model") or None, sampling=sampling)
