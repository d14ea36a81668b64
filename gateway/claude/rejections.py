"""Tell from an error of the API which part of a request it rejects, so that the request can be repeated without it.

The API names the part only in words. For example, "`temperature` is deprecated for this model" is about sampling.
"""

from gateway.claude.cli.answer_reader import AnswerReader
from gateway.claude.cli.conversation import Conversation
from gateway.errors import InvalidRequest
from gateway.turn import Model


def rejects_sampling(error: InvalidRequest, conversation: Conversation) -> bool:
    """Return True for an error about the sampling parameters that were sent."""
    sent = conversation.tuning.sampling if conversation.tuning is not None else ()
    return bool(sent) and _has_any(error, *sent, "thinking")


def rejects_strict(error: InvalidRequest, conversation: Conversation) -> bool:
    """Return True for an error about strict tools: they may be too many, or too complex in sum."""
    tools = conversation.tuning.body.get("tools", ()) if conversation.tuning is not None else ()
    is_strict = any("strict" in tool for tool in tools)
    return is_strict and _has_any(error, "strict", "grammar", "too complex", "too many")


def rejects_forced_tools(error: InvalidRequest) -> bool:
    """Return True for an error about a forced call of a tool, which some models don't take."""
    return "tool_choice" in error.message and "this model" in error.message


def rejects_thinking(error: InvalidRequest) -> bool:
    """Return True for an error about thinking that a client has sent back.

    After such an error the CLI itself repeats the request without the thinking, which is not enough for a tool round of
    a model with a thinking budget.
    """
    return _has_any(error, "signature", "`thinking`")


def rejects_hosted_calls(error: InvalidRequest) -> bool:
    """Return True for an error about blocks of hosted tools in earlier answers, e.g. of another provider."""
    names = ("server_tool_use", "_tool_result", "encrypted_", "citations")
    return error.message.startswith("messages") and _has_any(error, *names)


def rejects_format(error: InvalidRequest) -> bool:
    """Return True for an error about `output_config.format` or its schema, but not about the schema of a tool."""
    message = error.message.lower()
    return any(word in message for word in ("format", "schema", "grammar")) and "input_schema" not in message


def rejects_all_formats(error: InvalidRequest) -> bool:
    """Return True if the model has no structured output, in contrast to an error about one schema."""
    return _has_any(
        error, "Extra inputs are not permitted", "does not support", "not supported for this model"
    )


def _has_any(error: InvalidRequest, *words: str) -> bool:
    return any(word in error.message for word in words)


def has_needed_thinking(conversation: Conversation, reader: AnswerReader, model: Model) -> bool:
    """Return False if the API would reject tool results: with a thinking budget, thinking must precede the calls."""
    tuning = conversation.tuning
    thinks = model.thinking == "budget" and tuning is not None and tuning.thinking_budget != 0
    return reader.has_thought or not (conversation.is_waiting and thinks)
