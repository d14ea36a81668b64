"""The dashboard in headless Chromium: signing in, keys and requests, the chat, and a gateway out of reach."""

import base64
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.database import Store
from gateway.store.keys import Keys
from tests.standin import StandIn, text, thinking, tool_calls
from tests.support.browser import Browser, needs_browser, submit
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.wide import wide

CONFIGURED = "a-configured-key"
FIRST_LOAD_BYTES = 200_000
PAGES = (
    "/", "/dashboard", *(f"/dashboard/{name}" for name in (
        "requests", "keys", "keys/new", "accounts", "stored", "me", "models", "try", "connect", "alerts", "settings",
    )),
)  # fmt: skip
IS_READY = "document.querySelector('#chat [type=submit]')?.disabled === false"  # the scripts have started


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> ScriptedCli:
    return ScriptedCli(tmp_path_factory.mktemp("scripted"))


@pytest.fixture(scope="module")
def guarded(cli: ScriptedCli) -> Iterator[Gateway]:
    """Return a gateway that asks for keys, with the scripted CLI. Its client sends the key of an admin called boss."""
    keys = {"REQUIRE_AUTH": "true", "API_KEYS": CONFIGURED, "ANTHROPIC_API_KEY": "sk-ant-dummy"}
    with closing(Gateway({**NOTHING_KEPT, **cli.environ, **keys, "WARM_PROCESSES": "1"})) as gateway:
        gateway.await_warm(1)
        _, plain = Keys(Store(f"sqlite:///{gateway.home.name}/gateway.db")).create("boss", is_admin=True)
        gateway.api.headers["x-api-key"] = plain
        yield gateway


@pytest.fixture(scope="module")
def shared_browser() -> Iterator[Browser]:
    with closing(Browser()) as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Browser:
    shared_browser.errors.clear()
    return shared_browser


def sign_in(browser: Browser, gateway: Gateway) -> None:
    browser.open(f"{gateway.url}/dashboard/models")
    browser.wait_for("!!document.querySelector('#key, nav')")
    if browser.run("!!document.querySelector('#key')"):
        submit(browser, "form", key=gateway.api.headers["x-api-key"])
        browser.wait_for("!!document.querySelector('nav')")
    browser.errors.clear()  # of the 401 response


def press(browser: Browser, *names: str) -> None:
    """Press keys one after another."""
    codes = {"Enter": ("\r", 13), "Tab": ("", 9)}
    for name in names:
        text, code = codes.get(name, (name, ord(name[0].upper())))
        key = {"key": name, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        browser.call("Input.dispatchKeyEvent", type="keyDown", **key)
        browser.call("Input.dispatchKeyEvent", type="keyUp", **key)


@needs_browser
def test_admin_signs_in_chats_and_sees_the_running_answer(
    guarded: Gateway, cli: ScriptedCli, browser: Browser
) -> None:
    browser.open(f"{guarded.url}/dashboard")
    submit(browser, "form", key="wrong")
    browser.wait_for("document.querySelector('[role=alert]')?.textContent == 'The API key is not valid.'")
    submit(browser, "form", key=guarded.api.headers["x-api-key"])
    browser.wait_for("!!document.getElementById('live')")
    assert browser.run("document.cookie") == ""
    browser.errors.clear()  # of the 401 responses
    browser.open(f"{guarded.url}/dashboard/try")
    browser.wait_for(IS_READY)
    submit(browser, "#chat", question="WAIT")
    browser.wait_for("document.querySelector('.assistant .text')?.textContent == 'so far'")
    live = browser.run("fetch('/dashboard/live').then((answer) => answer.text())")
    assert all(words in live for words in ("claude-scripted", "boss", "/dashboard/chat"))
    cli.finish_waiting()
    browser.wait_for("document.querySelector('.assistant .hint')?.textContent.includes('$0.0100')")
    assert browser.run("document.querySelector('.assistant .text').textContent") == "so far and on"
    rows = wait_for(lambda: guarded.api.get("/v1/usage", params={"group_by": "key"}).json()["data"])
    assert [(row["key_name"], row["requests"]) for row in rows] == [("boss", 1)]
    submit(browser, "header form")
    browser.wait_for("!!document.getElementById('key')")
    assert [error for error in browser.errors if "401" not in error] == []


@needs_browser
def test_key_with_a_budget_is_made_used_and_its_request_found(guarded: Gateway, browser: Browser) -> None:
    sign_in(browser, guarded)
    browser.open(f"{guarded.url}/dashboard/keys/new")
    submit(browser, ".card", name="alice", usd_per_day="2.5", allowed_models="haiku, sonnet")
    secret = browser.wait_for("document.querySelector('.secret')?.textContent")
    browser.wait_for("/^\\/dashboard\\/keys\\/key_/.test(location.pathname)")  # a reload makes no second key
    page = browser.run("location.pathname")
    answer = guarded.api.post(
        "/v1/chat/completions",
        json={"model": "haiku", "messages": [{"role": "user", "content": "hello"}]},
        headers={"x-api-key": secret},
    )
    assert answer.status_code == 200, answer.text
    browser.open(f"{guarded.url}/dashboard/requests?q={answer.headers['x-request-id']}&live=1")
    browser.wait_for(
        "document.querySelector('.requests .pill.good')?.textContent == '200'"
    )  # by the live view
    assert "alice" in browser.run("document.querySelector('.requests').innerText")
    browser.run("document.querySelector('.requests th a').click()")
    browser.wait_for("!!document.querySelector('.waterfall')")
    shown = browser.run("document.querySelector('main').innerText")
    for words in ("First token", "alice", "/v1/chat/completions", "/v1/chat/completions' \\"):
        assert words in shown
    browser.open(guarded.url + page)
    assert "of $2.50 per day" in browser.run("document.querySelector('main').innerText")
    assert browser.run("document.querySelector('[name=allowed_models_rule]:checked').value") == "some"
    assert [error for error in browser.errors if "401" not in error] == []


@needs_browser
def test_keys_are_managed_with_the_keyboard(guarded: Gateway, browser: Browser) -> None:
    sign_in(browser, guarded)
    browser.open(f"{guarded.url}/dashboard/keys/new")
    browser.run("document.querySelector('#name').focus()")
    press(browser, *"bob", "Enter")
    browser.wait_for("!!document.querySelector('.secret')")
    browser.open(f"{guarded.url}/dashboard/keys?q=bob")
    browser.run("document.querySelector('tbody a').focus()")
    press(browser, "Enter")
    browser.wait_for("!!document.querySelector('details.client')")
    browser.run("document.querySelectorAll('summary')[1].focus()")
    press(browser, "Enter", "Tab", "Enter")
    browser.wait_for("document.querySelector('[role=status]')?.textContent.includes('revoked')")


@needs_browser
def test_key_is_bound_to_an_account_that_is_tested(
    start_gateway: Callable[..., Gateway], cli: ScriptedCli, browser: Browser, tmp_path: Path
) -> None:
    accounts = tmp_path / "accounts.toml"
    accounts.write_text("[a]\nshared = true\n[b]\nvariables = { ANTHROPIC_API_KEY = 'sk-ant-dummy' }\n")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ, ACCOUNTS_PATH=str(accounts), WARM_PROCESSES="1")
    for name in ("alice", "bob"):
        browser.open(f"{gateway.url}/dashboard/keys/new")
        browser.run("document.querySelector('[name=accounts][value=b]').focus()")
        press(browser, " ")
        assert browser.run("document.querySelector('[name=accounts_rule]:checked').value") == "some"
        submit(browser, ".card", name=name)
        browser.wait_for("!!document.querySelector('.secret, #problems')")
    assert "used by alice" in browser.run("document.querySelector('main').innerText")
    assert "is not shared" in browser.run("document.querySelector('#accounts-problem').innerText")
    assert browser.run("document.activeElement.id") == "problems"
    (key,) = gateway.api.get("/v1/admin/keys").json()["data"]
    assert (key["name"], key["accounts"]) == ("alice", ["b"])
    browser.open(f"{gateway.url}/dashboard/accounts")
    browser.run("document.querySelector('[action$=\"/b/test\"] button').focus()")
    press(browser, "Enter")
    browser.wait_for("document.querySelector('[role=status]')?.innerText == 'The account b is logged in.'")
    browser.wait_for("location.pathname == '/dashboard/accounts'")  # a reload tests no account
    assert "alice" in browser.run("document.querySelector('[aria-labelledby=account-b]').innerText")
    assert [error for error in browser.errors if "409" not in error] == []


@needs_browser
def test_chat_sends_an_image_and_answers_a_tool_call(
    gateway: Gateway, standin: StandIn, browser: Browser, tmp_path: Path
) -> None:
    called = tool_calls([("get_time", {"time_zone": "Asia/Tokyo"})], text="Let me look.")
    standin.default(text("It is <b>late</b>."))
    standin.reply(thinking("A tool may know.", called), when="How late", times=1)
    picture = tmp_path / "red.png"
    picture.write_bytes(png())
    browser.set_screen(360, "dark")
    browser.open(f"{gateway.url}/dashboard/try")
    browser.wait_for(IS_READY)
    node = browser.call("Runtime.evaluate", expression="document.querySelector('[name=image]')")["result"]
    browser.call("DOM.setFileInputFiles", files=[str(picture)], objectId=node["objectId"])
    submit(browser, "#chat", question="How late is it in Tokyo?", model="haiku", effort="low", tool=True)
    browser.wait_for("document.querySelectorAll('.assistant .hint').length == 2")
    said = browser.run("[...document.querySelectorAll('#messages .message')].map((m) => m.innerText)")
    assert [
        line in part for line, part in zip(("Tokyo?", "A tool", "GMT+9", "<b>late</b>"), said, strict=True)
    ] == [True] * 4
    assert "get_time" in said[1]
    first, second = standin.messages
    image = next(block for block in first.body["messages"][0]["content"] if block["type"] == "image")
    assert image["source"]["data"] == base64.b64encode(png()).decode()
    assert "tool_result" in json.dumps(second.body["messages"])
    assert browser.run("document.documentElement.scrollWidth") == 360
    assert browser.errors == []


@wide
@needs_browser
@pytest.mark.parametrize("page", PAGES)
def test_first_load_is_small_and_asks_no_other_server(gateway: Gateway, browser: Browser, page: str) -> None:
    browser.call("Network.clearBrowserCache")
    browser.open("about:blank")
    browser.requested.clear()
    browser.received_bytes = 0
    browser.open(gateway.url + page)
    browser.run("document.fonts.ready.then(() => 0)")
    assert [url for url in browser.requested if not url.startswith((f"{gateway.url}/", "data:"))] == []
    assert len(browser.requested) > 2  # the page, its style, its script
    assert 2_000 < browser.received_bytes <= FIRST_LOAD_BYTES


@needs_browser
def test_page_says_when_the_gateway_cannot_be_reached(gateway: Gateway, browser: Browser) -> None:
    browser.open(f"{gateway.url}/dashboard")
    line = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.call("Network.emulateNetworkConditions", offline=True, **line)
    browser.wait_for("/cannot be reached/.test(document.getElementById('stale').innerText)")
    browser.call("Network.emulateNetworkConditions", offline=False, **line)
    browser.wait_for("document.getElementById('stale').hidden")


@needs_browser
def test_setup_of_a_client_is_copied(gateway: Gateway, browser: Browser) -> None:
    browser.open(f"{gateway.url}/dashboard/connect")
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.wait_for("!!document.querySelector('.client .copy')")
    browser.run("document.querySelector('.client').open = true")
    browser.run("document.querySelector('.client pre + .copy').click()")
    browser.wait_for("document.querySelector('.client pre + .copy').textContent == 'Copied'")
    copied = browser.call("Runtime.evaluate", expression="navigator.clipboard.readText()", awaitPromise=True)[
        "result"
    ]["value"]
    assert copied == browser.run("document.querySelector('.client pre').textContent")
    assert gateway.url in copied


def png() -> bytes:
    """Return a PNG of a small red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xe0\x40\x30" * 8) * 8
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts.items())
