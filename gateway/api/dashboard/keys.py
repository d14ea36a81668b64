"""The pages with clients' keys: a list, a form for a new key, and one page per key.

A secret is shown once, in the response to the form that made it. Without scripts, all of it works with plain forms.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from flask import Response, make_response, redirect, request, url_for

from gateway.answering.account_admin import list_users
from gateway.answering.caller import identity_of
from gateway.answering.fallbacks import describe_fallback
from gateway.answering.key_admin import change_key, create_key, search_keys
from gateway.api.dashboard.blueprints import managing, render_page
from gateway.api.dashboard.key_forms import NAMES, Texts, load_fields, texts_of, texts_sent
from gateway.api.dashboard.models import choices, visible_models
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.own_address import own_address
from gateway.claude.catalog import ModelCatalog
from gateway.errors import ClientError
from gateway.hosted import HOSTED_NAMES
from gateway.schemas.admin_keys import STATES, KeyChangeSchema, NewKeySchema
from gateway.schemas.pages import pagination
from gateway.store.keys import Key
from gateway.store.limits.budgets import LIMIT_NAMES, LONG_BUDGET_NAMES

PER_PAGE = 25
SECTION = "dashboard-managing.show_keys"  # the entry of the navigation for all these pages


@dataclass(frozen=True, slots=True)
class LimitInput:
    """An input for a limit. `default` is the gateway's own limit, which applies if the input is empty."""

    name: str
    title: str
    default: float
    is_money: bool


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """An account that a key can be bound to. `users` are the names of other keys that are bound to it.

    `is_listed` is False for an account of the key that was removed from the list.
    """

    name: str
    is_shared: bool
    is_listed: bool
    users: tuple[str, ...]


@managing.get("/keys")
def show_keys() -> str:
    """List the keys, each with the most used budget."""
    words, state = request.args.get("q", ""), request.args.get("state", "")
    page = request.args.get("page", 1, int)
    found = search_keys(get_services(), words=words, state=state if state in STATES else None)
    pages = pagination(max(1, page), PER_PAGE, len(found))
    begin = (pages["page"] - 1) * PER_PAGE
    rows = [(key, _tightest_budget(key)) for key in found[begin : begin + PER_PAGE]]
    return render_page(
        "dashboard/keys.html",
        rows=rows,
        pages=pages,
        words=words,
        state=state,
        states=STATES,
        has_accounts=get_services().accounts.is_listed,
    )


@managing.get("/keys/new")
def show_new_key() -> str:
    """Show the form for a new key."""
    return _render_form("dashboard/key_new.html", texts_of(None))


@managing.post("/keys")
def create() -> Response:
    """Create a key and show its secret, or the form with the mistakes in it."""
    texts, known = texts_sent(request.form), texts_of(None)
    # An empty name is a mistake, which is not the same as one that was not changed.
    fields, problems = load_fields(NewKeySchema(), texts, known | {"name": "\n"}, _catalog())
    if problems:
        return make_response(_render_form("dashboard/key_new.html", texts, problems), 400)
    try:
        return _show_secret(*create_key(fields, get_caller(), get_services()), is_new=True)
    except ClientError as error:
        problems = _problem_of(error)
        return make_response(_render_form("dashboard/key_new.html", texts, problems), error.status)


@managing.get("/keys/<key_id>")
def show_key(key_id: str) -> str:
    """Show a key, its budgets, and the form to change it."""
    key = get_services().keys.get(key_id)
    return _render_key(key, texts_of(key))


@managing.post("/keys/<key_id>")
def change(key_id: str) -> Response:
    """Change a key, or show the mistakes in the form."""
    key, texts = get_services().keys.get(key_id), texts_sent(request.form)
    fields, problems = load_fields(KeyChangeSchema(), texts, texts_of(key), _catalog())
    if problems:
        return make_response(_render_key(key, texts, problems), 400)
    try:
        if fields:
            change_key(key_id, fields, get_caller(), get_services())
    except ClientError as error:
        return make_response(_render_key(key, texts, _problem_of(error)), error.status)
    return _see_key(key_id, "saved" if fields else "unchanged")


@managing.post("/keys/<key_id>/rotate")
def rotate(key_id: str) -> Response:
    """Replace the secret of a key, and show the new one."""
    return _show_secret(*get_services().keys.rotate(key_id, get_caller().actor), is_new=False)


@managing.post("/keys/<key_id>/revoke")
def revoke(key_id: str) -> Response:
    """Reject a key from now on."""
    get_services().keys.revoke(key_id, get_caller().actor)
    return _see_key(key_id, "revoked")


def list_limit_inputs() -> list[LimitInput]:
    """Return the inputs for all limits."""
    defaults = get_services().limits.default
    return [
        LimitInput(name, title_limit(name), getattr(defaults, name), name.startswith("usd"))
        for name in LIMIT_NAMES
    ]


def title_limit(name: str) -> str:
    """Return the name of a limit for people."""
    title = name.replace("_", " ").replace("usd", "US dollars")
    return title[0].upper() + title[1:]


def list_account_choices(key: Key | None) -> list[AccountChoice]:
    """Return the accounts for the form of a key; its own accounts come first, in its order. None is a new key."""
    services = get_services()
    own, listed = (key.accounts or ()) if key else (), services.accounts.accounts
    others = [one for one in services.keys.list() if key is None or one.id != key.id]
    return [
        AccountChoice(
            name,
            name in listed and listed[name].is_shared,
            name in listed,
            tuple(user.name for user in list_users(others, name)),
        )
        for name in dict.fromkeys((*own, *listed))
    ]


def _problem_of(error: ClientError) -> dict[str, str]:
    """Return a refusal by the name of the input that it is about. Raises it if it is about no input."""
    if error.param not in NAMES:
        raise error
    return {error.param: error.message}


def _tightest_budget(key: Key) -> dict[str, Any] | None:
    """Return the budget per day or month with the largest used share; None without budgets."""
    budgets = get_services().limits.list_budgets(identity_of(key))
    found = [budget for budget in budgets if budget["name"] in LONG_BUDGET_NAMES]
    return max(found, key=lambda budget: budget["used"] / budget["limit"], default=None)


def _render_form(
    template: str,
    texts: Texts,
    problems: Mapping[str, str] | None = None,
    *,
    key: Key | None = None,
    **more: Any,
) -> str:
    short_names = [name for name, _ in choices(visible_models())[0]["names"]]
    return render_page(
        template,
        texts=texts,
        problems=problems or {},
        limits=list_limit_inputs(),
        short_names=short_names,
        hosted_names=HOSTED_NAMES,
        gateway_tools=get_services().settings.hosted_tools,
        teams=get_services().teams.list(),
        accounts=list_account_choices(key),
        has_accounts=get_services().accounts.is_listed,
        account_strategy=get_services().settings.account_strategy,
        key=key,
        section=SECTION,
        **more,
    )


def _render_key(key: Key, texts: Texts, problems: Mapping[str, str] | None = None) -> str:
    limits, identity = get_services().limits, identity_of(key)
    return _render_form(
        "dashboard/key.html",
        texts,
        problems,
        key=key,
        budgets=limits.list_budgets(identity),
        fallback=describe_fallback(identity, limits),
        said=request.args.get("said", ""),
        now=datetime.now(timezone.utc),
    )


def _show_secret(key: Key, secret: str, *, is_new: bool) -> Response:
    page = render_page(
        "dashboard/key_secret.html",
        key=key,
        secret=secret,
        is_new=is_new,
        address=own_address(),
        section=SECTION,
    )
    return make_response(page)


def _see_key(key_id: str, said: str) -> Response:
    return redirect(url_for("dashboard-managing.show_key", key_id=key_id, said=said), 303, Response=Response)  # type: ignore[return-value]


def _catalog() -> ModelCatalog:
    return get_services().claude.catalog
