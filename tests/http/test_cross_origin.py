"""Request ids, and requests from pages of other origins (CORS)."""

import pytest

from tests.support.api_client import Api
from tests.support.apps import MakeApi

PATH = "/v1/chat/completions"
ORIGIN = "https://app.example"


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api(allowed_origins=(ORIGIN,))


@pytest.mark.parametrize(
    ("offered", "is_accepted"), [("my-id.1:2_3", True), ("x" * 129, False), ("a b", False)]
)
def test_valid_request_id_of_the_client_is_kept(api: Api, offered: str, is_accepted: bool) -> None:
    request_id = api.get("/health", headers={"x-request-id": offered}).headers["x-request-id"]
    assert (request_id == offered) == is_accepted
    assert request_id


def test_every_response_has_its_own_request_id(api: Api) -> None:
    answers = [api.get("/"), api.get("/v1/models"), api.chat(), api.chat(stream=True)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


def test_preflight_allows_the_headers_of_clients(api: Api) -> None:
    preflight = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    }
    answer = api.options(PATH, headers=preflight)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert allowed == "*" or {name.strip().lower() for name in allowed.split(",")} >= {
        "authorization",
        "content-type",
        "x-stainless-lang",
    }


def test_pages_may_read_errors_and_the_request_id(api: Api) -> None:
    answer = api.post(PATH, json={}, headers={"origin": ORIGIN})
    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
    assert "x-request-id" in answer.headers["access-control-expose-headers"]


def test_only_allowed_origins_may_read_responses(make_api: MakeApi) -> None:
    api = make_api("key", require_auth=True, api_keys=("key",), allowed_origins=(ORIGIN, "https://b.example"))
    for origin, is_allowed in (("https://b.example", True), ("https://evil.example", False)):
        answer = api.get("/", headers={"origin": origin})
        assert answer.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
