"""Requests of the list as the API and the pages show them: phases, a command, and comparisons.

>>> shell_quote("it's")
"'it'\\\\''s'"
"""

import json
from typing import Any

from gateway.answering.services import Services
from gateway.errors import RequestNotFound
from gateway.store.admin_models import RequestRow

MESSAGE = {"role": "user", "content": "…"}
#: The fields that differ between any two requests.
OWN_FIELDS = ("id", "owner", "created_at", "request_id", "phases", "curl", "bodies", "has_bodies")


def describe_request(row: RequestRow) -> dict[str, Any]:
    """Return a row in the form of RequestSchema."""
    values: dict[str, Any] = {name: getattr(row, name) for name in RequestRow._meta.fields}
    values["id"] = str(row.id)
    values["has_bodies"] = values.pop("body_id") is not None
    for name in ("repaired", "ignored"):
        values[name] = [part for part in values[name].split(",") if part]
    return values


def find_details(given: str, services: Services, owner: str | None = None) -> dict[str, Any]:
    """Return a request in the form of RequestDetailsSchema, by its own id or the request's. Raises RequestNotFound."""
    row = services.requests.find(given, owner)
    if row is None:
        raise RequestNotFound(f"There is no request {given!r} in the list.")
    bodies = services.requests.find_bodies(row)
    texts = {"request": bodies.request, "answer": bodies.answer, "is_cut": bodies.is_cut} if bodies else None
    body = bodies.request if bodies else None
    return describe_request(row) | {"phases": list_phases(row), "curl": make_curl(row, body), "bodies": texts}


def list_phases(row: RequestRow) -> list[dict[str, Any]]:
    """Return the phases of a request in the form of PhaseSchema, without empty ones."""
    named = {name: getattr(row, f"{name}_seconds") for name in ("parse", "queue", "process", "setup")}
    phases = [("set-up" if name == "setup" else name, seconds or 0.0) for name, seconds in named.items()]
    spent = sum(seconds for _, seconds in phases)
    parse, answer = phases[0][1], row.answer_seconds
    if answer is not None:
        first = answer if row.first_seconds is None else row.first_seconds
        phases.append(("first token", max(0.0, parse + first - spent)))
        phases.append(("answer", max(0.0, answer - first)))
        spent = parse + answer
    phases.append(("end", max(0.0, row.seconds - spent)))
    found, start = [], 0.0
    for name, seconds in phases:
        if seconds > 0:
            found.append({"name": name, "start": start, "seconds": seconds})
        start += seconds
    return found


def make_curl(row: RequestRow, body: str | None) -> str:
    """Return a command that sends the request again. Without a kept body, it has the model and a placeholder."""
    lines = [f'curl "$BASE_URL"{shell_quote(row.path)}', '-H "Authorization: Bearer $API_KEY"']
    if row.method != "GET":
        lines.insert(1, f"-X {row.method}")
        lines.append(f"-d {shell_quote(body or _make_placeholder(row))}")
    return " \\\n  ".join(lines)


def _make_placeholder(row: RequestRow) -> str:
    """Return a small body of the request's API."""
    prompts: dict[str, dict[str, Any]] = {
        "responses": {"input": "…"},
        "completions": {"prompt": "…"},
        "messages": {"max_tokens": 1024, "messages": [MESSAGE]},
    }
    body = {"model": row.model or "sonnet", **prompts.get(row.dialect, {"messages": [MESSAGE]})}
    return json.dumps(body, ensure_ascii=False)


def shell_quote(text: str) -> str:
    """Return text as one word of a shell's command, in which nothing is replaced."""
    return "'" + text.replace("'", "'\\''") + "'"


def compare_requests(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields in which two requests differ, in the form of DifferenceSchema."""
    names = [name for name in first if name not in OWN_FIELDS and first[name] != second[name]]
    return [{"field": name, "a": first[name], "b": second[name]} for name in names]
