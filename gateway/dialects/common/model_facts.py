"""Facts about a model in the names that clients of OpenAI's API read from `GET /v1/models`.

OpenAI's own list has none, so every provider has names of its own, and clients read several of them:

- OpenRouter (Cline, Kilo, Roo, LibreChat): `context_length`, `architecture`, `pricing` per token as strings,
  `supported_parameters`, `top_provider`. https://openrouter.ai/docs/api-reference/list-available-models
- vLLM (LangChain's and agents' local providers): `max_model_len`.
  https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/protocol.py
- Groq, Vercel's gateway and Requesty: `context_window`, `max_completion_tokens`, `max_output_tokens`.
  https://console.groq.com/docs/api-reference#models-list
- litellm and Anthropic: `max_input_tokens`. https://docs.litellm.ai/docs/proxy/model_management
- Mistral: `capabilities`. https://docs.mistral.ai/api/#tag/models

>>> model_facts(Model("claude-x", name="Claude X", context_window=200_000), "x")["name"]
'Claude X (x)'
"""

from typing import Any

from gateway.turn import CACHE_WRITE_FACTOR, Model

_WINDOW = ("context_length", "context_window", "max_model_len", "max_input_tokens")
_OUTPUT = ("max_output_tokens", "max_completion_tokens")

# The parameters of chat that have an effect on every model, and those that need one that takes sampling parameters.
_PARAMETERS = ("max_tokens", "max_completion_tokens", "stop", "response_format", "structured_outputs")
_TOOL_PARAMETERS = ("tools", "tool_choice", "parallel_tool_calls")
_THINKING_PARAMETERS = ("reasoning", "reasoning_effort", "include_reasoning")
_SAMPLING_PARAMETERS = ("temperature", "top_p")


def model_facts(model: Model, name: str) -> dict[str, Any]:
    """Return the facts about a model that is listed as `name`. Unknown facts are left out."""
    shown = model.name or model.id
    sizes = {**dict.fromkeys(_WINDOW, model.context_window), **dict.fromkeys(_OUTPUT, model.max_tokens)}
    return {
        "name": shown if name == model.id else f"{shown} ({name})",
        "canonical_slug": model.id,
        "description": model.description,
        **{field: size for field, size in sizes.items() if size is not None},
        "architecture": _architecture(model),
        "capabilities": {
            "completion_chat": True,
            "function_calling": model.supports_tools,
            "vision": model.supports_images,
            "reasoning": model.thinking != "none",
        },
        "supported_parameters": _supported_parameters(model),
        **_pricing(model),
        "top_provider": {
            "context_length": model.context_window,
            "max_completion_tokens": model.max_tokens,
            "is_moderated": False,
        },
        **({"shutdown_date": model.retires_at} if model.retires_at else {}),
    }


def _architecture(model: Model) -> dict[str, Any]:
    inputs = ["text", "image", "file"] if model.supports_images else ["text"]
    modality = "text+image->text" if model.supports_images else "text->text"
    return {
        "modality": modality,
        "input_modalities": inputs,
        "output_modalities": ["text"],
        "tokenizer": "Claude",
        "instruct_type": None,
    }


def _supported_parameters(model: Model) -> list[str]:
    return [
        *_PARAMETERS,
        *(_TOOL_PARAMETERS if model.supports_tools else ()),
        *(_THINKING_PARAMETERS if model.thinking != "none" else ()),
        *(_SAMPLING_PARAMETERS if model.sampling != "none" else ()),
    ]


def _pricing(model: Model) -> dict[str, Any]:
    if model.input_cost_per_1k is None or model.output_cost_per_1k is None:
        return {}
    fresh = model.input_cost_per_1k
    pricing = {
        "prompt": fresh,
        "completion": model.output_cost_per_1k,
        "input_cache_read": fresh * model.cache_read_factor,
        "input_cache_write": fresh * CACHE_WRITE_FACTOR,
        "request": 0.0,
        "image": 0.0,
    }
    return {"pricing": {name: _per_token(price) for name, price in pricing.items()}}


def _per_token(price_per_1k: float) -> str:
    """Return a price per token in US dollars. For example, 0.004 per 1,000 tokens is "0.000004"."""
    return f"{price_per_1k / 1000:.12f}".rstrip("0").rstrip(".")
