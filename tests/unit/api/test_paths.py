"""Paths of clients with a wrong base URL are repaired, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.http.paths import canonical_path

KNOWN = frozenset(
    {
        "/v1/chat/completions", "/v1/chat/completions/debug", "/v1/completions", "/v1/messages",
        "/v1/messages/count_tokens", "/v1/models", "/v1/models/capabilities", "/v1/projects", "/v1/responses",
        "/v1/responses/input_tokens", "/v1/sessions", "/v1/usage",
    }
)  # fmt: skip

REPAIRED = {
    "/chat/completions": "/v1/chat/completions",
    "/v1//chat/completions": "/v1/chat/completions",
    "//v1/chat//completions": "/v1/chat/completions",
    "/v1/v1/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/": "/v1/chat/completions",
    "/api/v1/chat/completions": "/v1/chat/completions",
    "/openai/v1/responses": "/v1/responses",
    "/anthropic/v1/messages": "/v1/messages",
    "/V1/Chat/Completions": "/v1/chat/completions",
    "/v1 /chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/v1/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/models": "/v1/models",
    "/v1/chat/completions/responses": "/v1/responses",
    "/v1/responses/responses": "/v1/responses",
    "/v1/messages/v1/messages": "/v1/messages",
    "/v1/messages/v1/messages/count_tokens": "/v1/messages/count_tokens",
    "/v1/v1/messages/count_tokens/": "/v1/messages/count_tokens",
    "/models/": "/v1/models",
    "/v1/models/": "/v1/models",
    "/models/Anthropic/Claude": "/v1/models/Anthropic/Claude",
    "/v1/models/sonnet/": "/v1/models/sonnet",
    "/v1/v1/responses/resp_Ab/cancel": "/v1/responses/resp_Ab/cancel",
    "/v1//chat/completions/debug": "/v1/chat/completions/debug",
    "/v1/v1/sessions": "/v1/sessions",
}

UNCHANGED = (
    "/", "", "//", "/v1", "/v1/", "/v2/models", "/v1/chat", "/health", "/health/", "/dashboard/chat",
    "/nothing/v1/models",
    "/dashboard/v1/chat/completions", "/v1/projects/p/files/a//b /", "/v1/projects/p/files/v1/models", "/docs/models",
    "/v1/responses/resp_1", "/v1/models/anthropic/openai", "/static/v1/x", "/metrics/v1", "/%00", "/v1/../models",
)  # fmt: skip


@pytest.mark.parametrize(("path", "repaired"), REPAIRED.items())
def test_wrong_base_url_names_the_endpoint_that_it_ends_with(path: str, repaired: str) -> None:
    assert canonical_path(path, KNOWN) == repaired


@pytest.mark.parametrize("path", UNCHANGED)
def test_path_outside_of_the_api_stays_as_it_is(path: str) -> None:
    assert canonical_path(path, KNOWN) == path


@given(st.lists(st.sampled_from(["v1", "api", "openai", "", "chat", "completions", "models", "x", ".."])))
def test_repaired_path_is_stable_and_below_a_known_one(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    repaired = canonical_path(path, KNOWN)
    assert canonical_path(repaired, KNOWN) == repaired
    assert repaired == path or any(repaired == one or repaired.startswith(f"{one}/") for one in KNOWN)
