"""Fixtures of the tests that send requests to an app in this process."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing.rules import Rule

from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.usage import UsageTable
from tests.support.api_client import Api
from tests.support.apps import MakeApi, MakeApp, close_app, open_app


@pytest.fixture(scope="session", autouse=True)
def _compiled_rules() -> Iterator[None]:
    """Compile each URL rule once. An app has 281 of them, which take half of the time to make it."""
    compiled: dict[Any, Any] = {}
    compile_rule = Rule._compile_builder

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, repr(rule.defaults), append_unknown)
        if key not in compiled:
            compiled[key] = compile_rule(rule, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compile_once)
        yield


@pytest.fixture
def make_app(tables_url: str) -> Iterator[MakeApp]:
    """Return a function that makes an app on this test's database, for example `make_app(dashboard=False)`."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        made.append(open_app(**{"database_url": tables_url, **settings}))
        return made[-1]

    yield make
    for app in made:
        close_app(app)


@pytest.fixture
def make_api(make_app: MakeApp) -> MakeApi:
    """Return a function that makes a client of such an app, for example `make_api("secret", require_auth=True)`."""

    def make(key: str | None = None, **settings: Any) -> Api:
        return Api.of_app(make_app(**settings), key=key)

    return make


@pytest.fixture
def keys(store: Store) -> Keys:
    """Return the API keys of this test's database."""
    return Keys(store)


@pytest.fixture
def usage_table(store: Store) -> UsageTable:
    """Return the usage of this test's database."""
    return UsageTable(store)


@pytest.fixture
def app(make_app: MakeApp, keys: Keys) -> Flask:
    """Return an app that requires keys."""
    keys.create("unused")
    return make_app(require_auth=True)


@pytest.fixture
def admin(app: Flask, keys: Keys) -> Api:
    """Return a client of the app with an admin key."""
    return Api.of_app(app, key=keys.create("root", is_admin=True)[1])
