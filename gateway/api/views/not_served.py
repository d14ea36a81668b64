"""Parts of OpenAI's and Anthropic's APIs that are known and not there: a clear 501 in place of a 404."""

from __future__ import annotations

from typing import NoReturn

from flask import Blueprint, current_app

from gateway.errors import NotServed

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

#: First parts of the paths below /v1, and in words what they would be.
FAMILIES = {
    "assistants": "assistants",
    "audio": "speech and transcriptions",
    "batches": "batches",
    "chatkit": "ChatKit",
    "containers": "containers",
    "content_provenance_checks": "content provenance checks",
    "conversations": "stored conversations",
    "decisions": "decisions",
    "edits": "edits",
    "embeddings": "embeddings",
    "engines": "engines",
    "evals": "evals",
    "files": "files",
    "fine-tunes": "fine-tuning",
    "fine_tuning": "fine-tuning",
    "images": "images",
    "live": "live sessions",
    "messages/batches": "batches of messages",
    "moderations": "moderations",
    "organization": "administration of an organization",
    "realtime": "realtime sessions",
    "safety": "safety reports",
    "skills": "skills",
    "threads": "threads",
    "uploads": "uploads",
    "vector_stores": "vector stores",
    "videos": "videos",
}

blueprint = Blueprint("not_served", __name__, url_prefix="/v1")


def refuse(family: str, rest: str = "") -> NoReturn:
    """Say what is not served, and what is."""
    raise NotServed(
        f"The gateway does not serve {FAMILIES[family]} (/v1/{family}). It serves: {', '.join(_served())}.",
        should_retry=False,
    )


def _served() -> list[str]:
    """The URLs without variables that other blueprints have below /v1."""
    rules = current_app.url_map.iter_rules()
    return sorted(
        {
            rule.rule
            for rule in rules
            if rule.rule.startswith("/v1/")
            and not rule.arguments
            and not rule.endpoint.startswith(f"{blueprint.name}.")
        }
    )


for _family in FAMILIES:
    for _rule in (f"/{_family}", f"/{_family}/<path:rest>"):
        blueprint.add_url_rule(_rule, _family, refuse, methods=METHODS, defaults={"family": _family})
