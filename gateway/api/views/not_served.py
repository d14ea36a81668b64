"""The parts of OpenAI's and Anthropic's APIs that the gateway does not serve: a clear 501 instead of a 404."""

from typing import NoReturn

from flask import Blueprint, current_app

from gateway.errors import NotServed

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

#: The first part of each path below /v1, and its API in words.
FAMILIES = {
    "agents": "agents",
    "assistants": "assistants",
    "audio": "speech and transcriptions",
    "chatkit": "ChatKit",
    "complete": "Anthropic's text completions",
    "containers": "containers",
    "content_provenance_checks": "content provenance checks",
    "decisions": "decisions",
    "deployment_runs": "deployments",
    "deployments": "deployments",
    "dreams": "dreams",
    "edits": "edits",
    "embeddings": "embeddings",
    "engines": "engines",
    "environments": "environments",
    "evals": "evals",
    "fine-tunes": "fine-tuning",
    "fine_tuning": "fine-tuning",
    "images": "images",
    "live": "live sessions",
    "memory_stores": "memory stores",
    "moderations": "moderations",
    "organization": "administration of an organization",
    "organizations": "administration of an organization",
    "realtime": "realtime sessions",
    "safety": "safety reports",
    "skills": "skills",
    "threads": "threads",
    "tunnels": "tunnels",
    "uploads": "uploads",
    "user_profiles": "user profiles",
    "vaults": "vaults",
    "vector_stores": "vector stores",
    "videos": "videos",
    "webhook_endpoints": "webhooks",
    "webhook_event_types": "webhooks",
}

#: Operations that are missing in families that the gateway serves: the path, the method, and the operation in words.
OPERATIONS = (
    ("/chat/completions", "GET", "stored chat completions"),
    ("/chat/completions/<rest>", "GET", "stored chat completions"),
    ("/chat/completions/<rest>", "POST", "stored chat completions"),
    ("/chat/completions/<rest>/messages", "GET", "stored chat completions"),
    ("/models/<path:rest>", "DELETE", "the deletion of models"),
)

blueprint = Blueprint("not_served", __name__, url_prefix="/v1")


def reject(missing: str, rest: str = "") -> NoReturn:
    """Raise NotServed, which names the missing API and the served URLs."""
    raise NotServed(
        f"The gateway does not serve {missing}. It serves: {', '.join(_served_urls())}.",
        should_retry=False,
    )


def _served_urls() -> list[str]:
    """Return the URLs below /v1 that the other blueprints serve, except the ones with variables."""
    rules = [rule for rule in current_app.url_map.iter_rules() if rule.rule.startswith("/v1/")]
    own = f"{blueprint.name}."
    return sorted({rule.rule for rule in rules if not rule.arguments and not rule.endpoint.startswith(own)})


for _family, _words in FAMILIES.items():
    _missing = {"missing": f"{_words} (/v1/{_family})"}
    for _rule in (f"/{_family}", f"/{_family}/<path:rest>"):
        blueprint.add_url_rule(_rule, _family, reject, methods=METHODS, defaults=_missing)
        blueprint.add_url_rule(_rule, f"{_family}_socket", reject, websocket=True, defaults=_missing)
for _rule, _method, _words in OPERATIONS:
    # An endpoint of its own for each: werkzeug redirects between rules of one endpoint with the same defaults.
    blueprint.add_url_rule(
        _rule, f"{_method} {_rule}", reject, methods=[_method], defaults={"missing": _words}
    )
