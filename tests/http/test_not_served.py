"""Endpoints of OpenAI's and Anthropic's APIs that the gateway does not serve are rejected in the caller's dialect."""

import re
from pathlib import Path

import anthropic
import openai
import pytest

from gateway.api.views.not_served import FAMILIES
from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApi, MakeApp

SERVED = ("/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/models")

#: A URL in the code of an SDK; its first part is the family.
SDK_URL = re.compile(
    r'self\._(?:get|post|delete|put|patch|get_api_list)\(\s*(?:path_template\(\s*)?f?"/(?:v1/)?(\w+)'
)

CALLS = [
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/moderations"),
    ("GET", "/v1/fine_tuning/jobs"),
    ("DELETE", "/v1/vector_stores/vs_1"),
    ("POST", "/v1/uploads"),
    ("POST", "/v1/fine_tuning/jobs"),
    ("POST", "/v1/assistants"),
    ("POST", "/v1/threads/runs"),
    ("PATCH", "/v1/vector_stores/vs_1"),
    ("PUT", "/v1/evals"),
    ("POST", "/v1/realtime/client_secrets"),
    ("POST", "/v1/containers"),
    ("POST", "/v1/videos"),
    ("GET", "/v1/chat/completions"),
    ("GET", "/v1/chat/completions/chatcmpl-1"),
    ("POST", "/v1/chat/completions/chatcmpl-1"),
    ("GET", "/v1/chat/completions/chatcmpl-1/messages"),
    ("DELETE", "/v1/models/ft:some/model"),
]


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Return a client with a valid key of a gateway that asks for keys."""
    return make_api("right", require_auth=True, api_keys=("right",))


@pytest.mark.parametrize(("method", "path"), CALLS, ids=str)
def test_unserved_endpoint_is_a_501_that_names_the_served_ones(api: Api, method: str, path: str) -> None:
    answer = api.request(method, path)
    assert answer.headers["x-should-retry"] == "false"
    error = error_of(answer)
    assert (error.status, error.type, error.code) == (501, "invalid_request_error", "not_implemented")
    assert all(served in error.message for served in SERVED)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_url_of_an_unserved_family_is_rejected(api: Api, family: str) -> None:
    for path in (f"/v1/{family}", f"/v1/{family}/some/thing"):
        answer = api.post(path)
        assert answer.status_code == 501
        assert FAMILIES[family] in answer.text


def test_every_family_of_urls_in_the_sdks_is_served_or_rejected(make_app: MakeApp) -> None:
    served = {
        rule.rule.split("/")[2] for rule in make_app().url_map.iter_rules() if rule.rule.startswith("/v1/")
    }
    called = {
        found[1]
        for sdk in (openai, anthropic)
        for file in Path(str(sdk.__file__)).parent.glob("resources/**/*.py")
        for found in SDK_URL.finditer(file.read_text("utf-8"))
    }
    assert len(called) > 30
    assert called <= served


def test_unserved_endpoint_needs_a_key(api: Api) -> None:
    assert api.with_key(None).post("/v1/embeddings").status_code == 401


def test_anthropic_client_gets_an_error_in_anthropics_shape(api: Api) -> None:
    answer = api.get("/v1/skills", headers={"anthropic-version": "2023-06-01"})
    assert answer.status_code == 501
    assert answer.json()["type"] == "error"


def test_any_other_url_is_a_404(api: Api) -> None:
    assert api.get("/v1/nonsense").status_code == 404
    assert api.get("/v1/embeddingss").status_code == 404
