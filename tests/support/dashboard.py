"""Requests that a browser sends to the dashboard."""

import re
from typing import Any

import httpx2 as httpx

from tests.support.api_client import Api

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def sign_in(api: Api, key: str, url: str = "/dashboard", **headers: Any) -> httpx.Response:
    """Send the sign-in form; the client keeps the cookie that it gets."""
    return api.post(url, data={"key": key}, headers=HTML | headers)


def dashboard_page(api: Api, path: str = "", **headers: str) -> str:
    """Return a page as a browser sees it. Raise AssertionError unless the status is 200.

    `headers` have underscores in their names.
    """
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = api.get(f"/dashboard{path}", headers=HTML | more)
    assert answer.status_code == 200, answer.text
    return answer.text


def csrf_token(api: Api) -> str:
    """Return the token that the pages of a signed-in user have to send back."""
    found = re.search(r'name="csrf_token" value="(\w{64})"', dashboard_page(api, "/try"))
    assert found
    return found[1]


def media_type(response: httpx.Response) -> str:
    """Return the content type without its parameters."""
    return response.headers["content-type"].partition(";")[0]
