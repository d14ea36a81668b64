"""Describe models to Codex, which asks `GET /v1/models?client_version=…` if its provider has a `model_catalog_url`.

The fields are from `ModelInfo` in https://github.com/openai/codex (codex-rs/protocol/src/openai_models.rs). Some of
them are for older versions. Codex gives a model without a description no `apply_patch` and no efforts.

>>> describe_model(Model("claude-haiku-4-5"), "haiku", 1, "0.171.0")["slug"]
'haiku'
"""

from typing import Any

from gateway.turn import Model

CONTEXT_WINDOW = 200_000  # tokens, of a model whose window is unknown
#: The version from which Codex knows the effort "max". Older ones reject the whole list.
KNOWS_MAX = (0, 171)

INSTRUCTIONS = """\
You are a coding agent in Codex, a command-line tool. You and the user work in the same folder.

# Work
- Look before you change: read the files concerned and search with `rg` if it is there. Follow the AGENTS.md files in
  whose folders you work; the deeper one counts more, and the user's words count most.
- Solve the cause of a problem with the smallest change that does it, in the style of the code around it. Leave alone
  what the task is not about, and mention it instead.
- Edit files with `apply_patch` if you have this tool. Never undo changes that you have not made, and neither commit nor
  make branches unless you are asked to.
- Call tools that do not depend on each other at once. Keep the plan up to date if you use one.
- Check your work: run the tests or the program that show it is right, the nearest first. Say so if you could not.
- Go on until the task is done. Ask only if a decision is the user's and guessing would be costly.

# Answers
- Before a longer step, say in one sentence what you are about to do.
- End with a short report: your changes and their places, how you checked them, and open questions. Name files as
  `path/to/file.py:12`. Use Markdown with few headings, and do not repeat the content of files.
"""

_DESCRIPTIONS = {
    "low": "Fast answers with little thinking",
    "medium": "Thinks as much as everyday tasks need",
    "high": "Thinks more, for complex tasks",
    "xhigh": "Thinks much more, for hard tasks",
    "max": "Thinks as much as possible",
}


def describe_model(model: Model, name: str, priority: int, client_version: str) -> dict[str, Any]:
    """Return the description of a model under one of its names. The lowest priority comes first.

    The list that users choose from has the model's id; its aliases are hidden and can be used.
    """
    return {
        "slug": name,
        "display_name": model.name or name,
        "description": model.description or None,
        "default_reasoning_level": None,
        "supported_reasoning_levels": _efforts(model, client_version),
        "shell_type": "unified_exec",
        "visibility": "list" if name == model.id else "hide",
        "supported_in_api": True,
        "priority": priority,
        "upgrade": None,
        "base_instructions": INSTRUCTIONS,
        "supports_reasoning_summaries": model.thinking != "none",
        "default_reasoning_summary": "auto",
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": "freeform",
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "supports_parallel_tool_calls": True,
        "context_window": model.context_window or CONTEXT_WINDOW,
        "experimental_supported_tools": [],
        "input_modalities": ["text", "image"],
    }


def _efforts(model: Model, client_version: str) -> list[dict[str, str]]:
    return [
        {"effort": effort, "description": _DESCRIPTIONS[effort]}
        for effort in model.efforts
        if effort in _DESCRIPTIONS and (effort != "max" or _numbers(client_version) >= KNOWS_MAX)
    ]


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version. One that is not made of numbers counts as old."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()
