"""Translate a legacy completion request into Turns, one per prompt. `answers` translates back."""

from dataclasses import dataclass
from typing import Any

from gateway.dialects.common.adjust import adjust_parameters
from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.openai_parameters import COUNTS, RANGES, read_sampling
from gateway.dialects.common.parameters import Policy
from gateway.dialects.common.text import is_blank, repair_text
from gateway.dialects.common.where import Notes
from gateway.errors import UnsupportedParameter
from gateway.repairs import Repair
from gateway.turn import MAX_CHOICES, Message, Turn

_POLICY = Policy(
    honored=frozenset({
        "prompt", "model", "max_tokens", "temperature", "top_p", "top_k", "stop", "n", "echo", "stream",
        "stream_options", "suffix", "logprobs",
    }),
    refused={},
    defaults={"best_of": (1,), "frequency_penalty": (0,), "presence_penalty": (0,)},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A translated request: the turns to run, and how to send the answers.

    Each turn is to be run `n` times. `echoes` holds the text before each choice. `ignored` names parameters without
    effect, and `repaired` lists its repairs.
    """

    turns: tuple[Turn, ...]
    n: int
    echoes: tuple[str, ...]
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]
    repaired: tuple[Repair, ...]


def parse_request(body: dict[str, Any]) -> CompletionRequest:
    """Translate a body that CompletionSchema has loaded. The prompt becomes the user's message, word for word.

    Raises InvalidRequest, and UnsupportedParameter for parameters that would change the answer but cannot be honored.
    """
    if body.get("suffix"):
        raise unsupported_field(
            "suffix", "Claude cannot insert text. Put both parts into the prompt and remove the suffix."
        )
    if body.get("logprobs") is not None and body["logprobs"] is not False:
        raise unsupported_field("logprobs", "Claude reports no log probabilities. Remove this parameter.")
    notes = Notes()
    body = adjust_parameters(body, notes, COUNTS, RANGES)
    prompts, n = _prompts(body["prompt"]), body.get("n") or 1
    if len(prompts) * n > MAX_CHOICES:
        raise invalid_field(
            "prompt", f"At most {MAX_CHOICES} answers (prompts times `n`) are allowed per request."
        )
    return CompletionRequest(
        turns=tuple(_turn(prompt, body) for prompt in prompts),
        n=n,
        echoes=tuple(prompt if body.get("echo") else "" for prompt in prompts for _ in range(n)),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        ignored=_POLICY.find_ignored(body, notes.ignored),
        repaired=notes.repaired,
    )


def _prompts(given: str | list[Any]) -> list[str]:
    if isinstance(given, str):
        return [_prompt(given, "prompt")]
    if not given:
        raise invalid_field("prompt", "A prompt is required.")
    if all(isinstance(prompt, int) for prompt in given):
        raise _token_prompt("prompt")
    return [_prompt(prompt, f"prompt[{index}]") for index, prompt in enumerate(given)]


def _prompt(prompt: Any, where: str) -> str:
    if isinstance(prompt, list):
        raise _token_prompt(where)
    if not isinstance(prompt, str) or is_blank(prompt):
        raise invalid_field(where, "Expected text that is not blank.")
    return repair_text(prompt)


def _token_prompt(where: str) -> UnsupportedParameter:
    return unsupported_field(
        where, "Token arrays are not supported, because Claude has other tokens. Send text."
    )


def _turn(prompt: str, body: dict[str, Any]) -> Turn:
    message = Message("user", ({"type": "text", "text": prompt},))
    return Turn(messages=(message,), requested_model=body.get("model") or None, sampling=read_sampling(body))
