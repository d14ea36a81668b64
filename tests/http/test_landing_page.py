"""The page at `/`: for browsers only, and without anything that needs a key."""

import html
import shlex

import pytest

from gateway.api.http.page_headers import PAGE_HEADERS
from tests.support.apps import MakeApp

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
HOST = {"Host": "localhost:8000"}


QUESTION = '{"messages": [{"role": "user", "content": "Hello!"}]}'


def read_command(page: str) -> list[str]:
    """Return the words of the first request as a shell reads them."""
    text = html.unescape(page.partition("<pre")[2].partition(">")[2].partition("</pre>")[0])
    assert "\\\n\n" not in text
    return shlex.split(text.replace("\\\n", " "))


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/plain, */*"])
def test_clients_get_json(make_app: MakeApp, accept: str | None) -> None:
    answer = make_app().test_client().get("/", headers={"Accept": accept} if accept else {})
    assert answer.json
    assert answer.json["endpoints"]["chat"] == "/v1/chat/completions"


def test_browser_gets_a_page_under_a_strict_policy(make_app: MakeApp) -> None:
    client = make_app().test_client()
    answer = client.get("/", headers={**BROWSER, **HOST})
    assert answer.mimetype == "text/html"
    assert dict(answer.headers).items() >= PAGE_HEADERS.items()
    assert "Accept" in answer.headers["Vary"]
    for word in ("style=", "onclick", "<style", "<script>"):
        assert word not in answer.text
    assert "http://localhost:8000/v1</code>" in answer.text
    assert read_command(answer.text) == ["curl", "http://localhost:8000/v1/chat/completions", "-d", QUESTION]
    assert 'href="/dashboard/connect"' in answer.text
    for path in ("/dashboard", "/docs", "/health"):
        assert f'href="{path}"' in answer.text


def test_page_names_the_problem_and_asks_for_a_key(make_app: MakeApp) -> None:
    app = make_app(require_auth=True, api_keys=("secret-of-the-test",), dashboard=False)
    answer = app.test_client().get(
        "/", headers={**BROWSER, "Host": "gateway.example", "X-Forwarded-Proto": "https"}
    )
    assert answer.status_code == 200
    assert "Not ready" in answer.text  # no CLI is running in this process
    assert "https://gateway.example/v1" in answer.text
    assert read_command(answer.text)[2:] == ["-H", "Authorization: Bearer YOUR_KEY", "-d", QUESTION]
    assert "dashboard" not in answer.text
    assert "secret-of-the-test" not in answer.text
    opened = make_app(host="0.0.0.0").test_client().get("/", headers={**BROWSER, **HOST})
    assert "strangers can use it" in opened.text
