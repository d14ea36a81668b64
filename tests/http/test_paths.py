"""A client whose base URL is slightly wrong is served like any other, with the same keys and limits."""

import pytest

from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApi

POSTED = (
    "/v1//chat/completions",
    "/chat/completions",
    "/v1/v1/chat/completions",
    "/v1/chat/completions/",
    "/v1/chat/completions/chat/completions",
    "/openai/v1/responses",
    "/v1/v1/messages",
    "/v1/messages/v1/messages/count_tokens",
    "/api/v1/completions",
)


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Return a client with a key of a gateway that allows two requests per minute."""
    limits = {"rate_limit_requests_per_minute": 2, "rate_limit_burst": 0}
    return make_api("right", require_auth=True, api_keys=("right",), **limits)


@pytest.mark.parametrize("path", POSTED)
def test_wrong_base_url_reaches_the_endpoint_and_needs_a_key(api: Api, path: str) -> None:
    assert api.post(path, json={}).status_code == 400  # the view has read the body
    assert api.with_key(None).post(path, json={}).status_code == 401
    preflight = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = api.options(path, headers=preflight)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, preflight["origin"])


@pytest.mark.parametrize("path", ["/models", "/v1/models/", "/v1/chat/completions/models", "/v1//models"])
def test_models_are_listed_under_a_wrong_base_url(api: Api, path: str) -> None:
    assert api.get(path).json()["object"] == "list"
    assert api.with_key(None).get(path).status_code == 401


def test_limits_count_requests_under_any_path(api: Api) -> None:
    statuses = [api.post(path, json={}).status_code for path in POSTED[:3]]
    assert statuses == [400, 400, 429]


@pytest.mark.parametrize("path", ["/v1//nothing", "/dashboard//v1/models", "/health//"])
def test_other_paths_with_two_slashes_are_json_404s(api: Api, path: str) -> None:
    assert error_of(api.get(path, headers={"origin": "https://app.example"}))[:2] == (404, "unknown_url")
