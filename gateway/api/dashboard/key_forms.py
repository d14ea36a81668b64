"""The form of a key: the texts in it, the body for `/v1/admin/keys` that they stand for, and the mistakes in them.

Only fields whose texts were changed are in the body, so that a form never changes a value that it cannot show exactly.

>>> make_body({**texts_of(None), "name": "alice", "usd_per_day": "5"}, texts_of(None))
{'name': 'alice', 'limits': {'usd_per_day': 5}}
"""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from gateway.claude.catalog import ModelCatalog
from gateway.errors import ModelNotSupported
from gateway.store.keys import Key
from gateway.store.limits.budgets import LIMIT_NAMES

#: Lists with a choice between all and some.
LISTS = ("allowed_models", "allowed_projects", "hosted_tools", "accounts")
FLAGS = ("is_admin", "keeps_bodies")
NAMES = (
    "name",
    "notes",
    "expires_at",
    "team_id",
    *FLAGS,
    *LIMIT_NAMES,
    *LISTS,
    *(f"{name}_rule" for name in LISTS),
)
MOMENT = "%Y-%m-%dT%H:%M"  # as inputs of the type datetime-local have it

Texts = dict[str, str]


def texts_of(key: Key | None) -> Texts:
    """Return the texts of the form for a key; None for a new one."""
    texts = dict.fromkeys(NAMES, "") | {f"{name}_rule": "all" for name in LISTS}
    if key is None:
        return texts
    texts |= {"name": key.name, "notes": key.notes or "", "team_id": key.team_id or ""}
    texts |= {name: "on" for name in FLAGS if getattr(key, name)}
    texts |= {name: f"{value:g}" if value < 1e6 else str(value) for name, value in key.limits.items()}
    if key.expires_at is not None:
        texts["expires_at"] = f"{key.expires_at:{MOMENT}}"
    for name in LISTS:
        items = getattr(key, name)
        texts |= {name: ", ".join(items or ()), f"{name}_rule": "all" if items is None else "some"}
    return texts


def texts_sent(form: MultiDict[str, str]) -> Texts:
    """Return the texts that a browser sent. Browsers end lines with CR LF."""
    return {name: ", ".join(form.getlist(name)).replace("\r\n", "\n").strip() for name in NAMES}


def make_body(texts: Texts, known: Texts) -> dict[str, Any]:
    """Return the fields whose texts differ from the known ones, as the API takes them."""
    changed = {name for name in NAMES if texts[name] != known[name]}
    body: dict[str, Any] = {name: texts[name] for name in ("name",) if name in changed}
    body |= {name: texts[name] or None for name in ("notes", "team_id") if name in changed}
    if "expires_at" in changed:
        body["expires_at"] = f"{texts['expires_at']}+00:00" if texts["expires_at"] else None
    body |= {name: texts[name] == "on" for name in FLAGS if name in changed}
    if limits := {name: parse_number(texts[name]) for name in LIMIT_NAMES if name in changed}:
        body["limits"] = limits
    for name in LISTS:
        is_filled_in = (
            name in changed and texts[name] != ""
        )  # no script may have made the choice "Only these"
        if {name, f"{name}_rule"} & changed:
            is_some = is_filled_in or texts[f"{name}_rule"] == "some"
            body[name] = split_names(texts[name]) if is_some else None
    return body


def load_fields(
    schema: Schema, texts: Texts, known: Texts, catalog: ModelCatalog
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a key that a form stands for, and the mistakes in it by the names of its inputs."""
    body = make_body(texts, known)
    problems = _find_unknown_models(body.get("allowed_models") or (), catalog)
    try:
        fields: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        return {}, problems | flatten_messages(error.messages_dict)
    return fields, problems


def split_names(text: str) -> list[str]:
    """Return the names in a text, which commas, spaces or line breaks separate."""
    return [*dict.fromkeys(name for name in re.split(r"[\s,]+", text) if name)]


def parse_number(text: str) -> float | str | None:
    """Return the number that a text has; None for an empty one. The schema names a text that is no number."""
    if not text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _find_unknown_models(names: Any, catalog: ModelCatalog) -> dict[str, str]:
    unknown = [name for name in names if not _is_known(name, catalog)]
    return {"allowed_models": f"Unknown models: {', '.join(unknown)}."} if unknown else {}


def _is_known(name: str, catalog: ModelCatalog) -> bool:
    try:
        catalog.resolve(name)
    except ModelNotSupported:
        return False
    return True


def flatten_messages(messages: Mapping[Any, Any]) -> dict[str, str]:
    """Return the first message of each input. Limits are inputs of their own; items of a list are not."""
    found: dict[str, str] = {}
    for name, inner in messages.items():
        if name == "limits" and isinstance(inner, Mapping):
            found |= flatten_messages(inner)
        else:
            found[str(name)] = _first_text(inner)
    return found


def _first_text(messages: Any) -> str:
    while not isinstance(messages, str):
        messages = next(iter(messages.values() if isinstance(messages, Mapping) else messages))
    return messages
