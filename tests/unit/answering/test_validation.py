"""The validation of a chat body, with no app and no CLI."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.answering.services import Services, build_services
from gateway.answering.validation import validate_chat_body
from gateway.settings import Settings
from tests.unit.answering.fakes import MODEL, caller

HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def services(database_url: str, tmp_path: Path) -> Iterator[Services]:
    services = build_services(Settings(database_url=database_url, project_root=tmp_path / "projects"))
    yield services
    services.store.close()


def validate(services: Services, body: Any, **rights: Any) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return validate_chat_body(data, caller("me", **rights), services)


def test_a_valid_body_has_its_model_and_its_ignored_parameters(services: Services) -> None:
    found = validate(services, {"messages": HI, "model": "haiku", "seed": 1})
    assert found == {"valid": True, "errors": [], "ignored_parameters": ("seed",), "model": MODEL}


@pytest.mark.parametrize("body", [b"{", b"", b'{"messages": NaN}'])
def test_a_body_that_is_not_json_is_an_error(services: Services, body: bytes) -> None:
    (error,) = validate(services, body)["errors"]
    assert (error["code"], error["param"]) == ("invalid_request", None)


def test_all_errors_are_listed(services: Services) -> None:
    body = {
        "messages": [{"role": "tool", "content": "no call"}],
        "model": "no-such-model",
        "session_id": "sess_none",
        "project_id": "none",
        "logprobs": True,
    }
    found = validate(services, body)
    codes = [error["code"] for error in found["errors"]]
    assert {"session_not_found", "project_not_found", "model_not_supported", "unsupported_parameter"} <= {
        *codes
    }
    assert (found["valid"], found["model"]) == (False, None)


def test_notes_of_the_request_are_listed(services: Services) -> None:
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "haiku",
        "session_id": "my-own-id",
        "max_tokens": -1,
        "tools": [{"type": "web_search"}],
        "seed": 1,
    }
    found = validate(services, body)
    assert found["valid"]
    assert list(found["ignored_parameters"]) == ["max_tokens", "seed", "session_id", "tools[0]"]


def test_a_session_adds_its_model_and_its_messages(services: Services) -> None:
    session = services.sessions.create("me", model="haiku")
    found = validate(services, {"messages": HI, "session_id": session.id})
    assert (found["valid"], found["model"]) == (True, MODEL)


def test_a_key_that_may_not_use_the_model_is_told_so(services: Services) -> None:
    found = validate(services, {"messages": HI, "model": "opus"}, allowed_models=("haiku",))
    assert [error["code"] for error in found["errors"]] == ["model_not_allowed"]
