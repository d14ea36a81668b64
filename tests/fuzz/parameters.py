"""Parameters in and out of range, with what may become of them."""

from tests.fuzz.plans import Dialect, Parameter

_NINE_STOPS = [f"stop {number}" for number in range(9)]

_WIDE_THINKING = {"type": "enabled", "budget_tokens": 9000}

_OPENAI = (
    Parameter("temperature", 0.5, ("temperature", 0.5), "temperature"),
    Parameter("temperature", 1.7),  # becomes 1, which is the default
    Parameter("temperature", 3, named="temperature", refusals=("temperature",)),
    Parameter("temperature", "warm", named="temperature", refusals=("temperature",)),
    Parameter("top_p", 0.99, ("top_p", 0.99), "top_p"),
    Parameter("top_p", -1, named="top_p", refusals=("top_p",)),
    Parameter("user", "someone", named="user"),
    Parameter("made_up_field", {"a": 1}, named="made_up_field"),
)
_CHAT = (
    *_OPENAI,
    Parameter("max_tokens", 4096, ("max_tokens", 4096)),
    Parameter("max_tokens", 4096.0, ("max_tokens", 4096)),
    Parameter("max_tokens", -1, named="max_tokens"),
    Parameter("max_tokens", 0, named="max_tokens"),
    Parameter("max_tokens", 300, ("max_tokens", 300)),
    Parameter("max_completion_tokens", 3000, ("max_tokens", 3000)),
    Parameter("stop", "END", ("stop_sequences", ["END"])),
    Parameter("stop", _NINE_STOPS, ("stop_sequences", _NINE_STOPS)),
    Parameter("reasoning_effort", "auto", named="reasoning_effort"),
    Parameter("reasoning_effort", "ultra", named="reasoning_effort"),
    Parameter("reasoning_effort", "off", named="reasoning_effort"),
    Parameter("seed", 7, named="seed"),
    Parameter("logit_bias", {"50256": -100}, named="logit_bias"),
    Parameter("frequency_penalty", 0.5, named="frequency_penalty"),
    Parameter("logprobs", True, refusals=("logprobs",)),
    Parameter("n", 0, named="n", refusals=("n",)),
    Parameter("session_id", "a-clients-own-id", named="session_id", refusals=("session_id",)),
    Parameter("messages_extra", [1, 2], named="messages_extra"),
)
_RESPONSES = (
    *_OPENAI,
    Parameter("max_output_tokens", 3000, ("max_tokens", 3000)),
    Parameter("max_output_tokens", 3000.0, ("max_tokens", 3000)),
    Parameter("max_output_tokens", 0, named="max_output_tokens"),
    Parameter("max_output_tokens", -1, named="max_output_tokens"),
    Parameter("reasoning", {"effort": "ultra"}, named="reasoning.effort"),
    Parameter("include", ["reasoning.encrypted_content"], named="include"),
    Parameter("truncation", "auto", named="truncation"),
    Parameter("top_logprobs", 3, refusals=("top_logprobs",)),
)
_MESSAGES = (
    Parameter("temperature", 0.5, ("temperature", 0.5), "temperature"),
    Parameter("temperature", 3, named="temperature", refusals=("temperature",)),
    Parameter("top_p", 0.99, ("top_p", 0.99), "top_p"),
    Parameter("top_k", 40, ("top_k", 40), "top_k"),
    Parameter("stop_sequences", _NINE_STOPS, ("stop_sequences", _NINE_STOPS)),
    Parameter("metadata", {"user_id": "someone"}, named="metadata"),
    Parameter("max_tokens", 300, ("max_tokens", 300)),
    Parameter("max_tokens", 4096.0, ("max_tokens", 4096)),
    Parameter("max_tokens", 0, named="max_tokens", refusals=("max_tokens",)),
    Parameter("max_tokens", -1, named="max_tokens", refusals=("max_tokens",)),
    Parameter("thinking", _WIDE_THINKING, refusals=("thinking", "max_tokens")),
    Parameter("context_management", {"edits": [{"type": "new_1"}]}, named="context_management.edits[0]"),
    Parameter("container", "c_1", refusals=("container",)),
    Parameter("made_up_field", {"a": 1}, named="made_up_field"),
)
_COMPLETIONS = (
    *_OPENAI,
    Parameter("max_tokens", 300, ("max_tokens", 300)),
    Parameter("max_tokens", 0, named="max_tokens"),
    Parameter("stop", _NINE_STOPS, ("stop_sequences", _NINE_STOPS)),
    Parameter("echo", True),
    Parameter("best_of", 2, named="best_of"),
    Parameter("suffix", "end", refusals=("suffix",)),
    Parameter("logprobs", 2, refusals=("logprobs",)),
)

PARAMETERS: dict[Dialect, tuple[Parameter, ...]] = {
    "chat": _CHAT,
    "responses": _RESPONSES,
    "messages": _MESSAGES,
    "completions": _COMPLETIONS,
}
