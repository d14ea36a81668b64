"""A newcomer's first hour, from an empty machine to a request that is found in the dashboard.

It installs the wheel and its CLI in one line each, and then does literally what the README, `claude-gateway connect`
and the pages say. `build/first-hour/` records it: `terminal.txt`, `server-N.txt` and a screenshot of each page.
"""

import json
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.clients.catalog import all_clients
from tests.clients.client import Client, fill
from tests.clients.installs import clean_environ
from tests.standin import StandIn, text
from tests.support.browser import Browser, needs_browser, submit
from tests.support.gateway import ROOT, wait_for
from tests.support.installation import Installation
from tests.support.sockets import free_port

RECORD = ROOT / "build/first-hour"
ANSWER = "Hello from the model."
CLIENTS = ("codex", "opencode")
BUDGET = "2.5"
COMMAND_SECONDS = 300
SECTION = re.compile(r"^(Write to (?P<path>\S+)|Set in the environment|Start it):$", re.MULTILINE)
WELCOME = re.compile(r"Address +(\S+)/v1\s+Dashboard +(\S+)\s")


class Newcomer:
    """A person with a terminal, a browser and nothing else. Both are recorded."""

    def __init__(self, installed: Installation, browser: Browser, **settings: str) -> None:
        self.browser = browser
        self.home = installed.home
        self.environ = clean_environ(self.home, **settings)
        self.environ["PATH"] = f"{installed.program.parent}:{self.environ['PATH']}"
        self._pages = self._starts = 0

    def type(self, command: str, **environ: str) -> str:
        """Run a command in a shell, assert that it succeeds, and return its output."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.home,
            env={**self.environ, "PWD": str(self.home), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        with (RECORD / "terminal.txt").open("a", encoding="utf-8") as record:
            record.write(f"$ {command}\n{done.stdout}\n")
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run `claude-gateway serve` on a terminal until Ctrl-C. Yield the address of the dashboard that it prints."""
        self._starts += 1
        seen = RECORD / f"server-{self._starts}.txt"
        seen.touch()
        terminal = [
            "script",
            "--quiet",
            "--flush",
            "--append",
            "--command",
            "claude-gateway serve",
            str(seen),
        ]
        server = subprocess.Popen(
            terminal,
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield wait_for(lambda: WELCOME.search(seen.read_text("utf-8")), COMMAND_SECONDS)[2]
        finally:
            server.communicate(b"\x03", timeout=60)

    def look(self, name: str, *words: str) -> None:
        """Take a screenshot of the page, and assert that it shows these words."""
        self._pages += 1
        self.browser.save_screenshot(RECORD / f"{self._pages:02}-{name}.png")
        shown = self.browser.run("document.body.innerText")
        assert [word for word in words if word not in shown] == [], shown

    def click(self, words: str, heading: str) -> None:
        """Click on a link or button, and wait for a page with this heading."""
        label = json.dumps(words)
        self.browser.run(
            f"[...document.querySelectorAll('a, button')].find((one) => one.innerText.trim() == {label}).click()"
        )
        self.await_page(heading)

    def await_page(self, heading: str) -> None:
        """Wait for a page with this heading."""
        self.browser.wait_for(
            f"document.readyState == 'complete' && document.querySelector('h1')?.innerText == {json.dumps(heading)}"
        )


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        standin.default(text(ANSWER))
        yield standin


@pytest.fixture
def newcomer(standin: StandIn) -> Iterator[Newcomer]:
    shutil.rmtree(RECORD, ignore_errors=True)
    RECORD.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="first-hour-") as folder, closing(Browser()) as browser:
        browser.set_screen(1280, "light")
        yield Newcomer(
            Installation(Path(folder)),
            browser,
            PORT=str(free_port()),
            CLAUDE_API_KEY="sk-ant-dummy",
            ANTHROPIC_BASE_URL=standin.url,
        )


@pytest.mark.clients
@needs_browser
@pytest.mark.timeout(1800)
def test_newcomer_comes_from_nothing_to_a_key_with_a_budget(newcomer: Newcomer, standin: StandIn) -> None:
    with newcomer.serving() as dashboard:
        ask_as_the_readme_says(newcomer, dashboard)
        for client in all_clients():
            if client.name in CLIENTS:
                connect(newcomer, client)
        secret, command = make_key(newcomer, dashboard)
    require_keys(newcomer)
    with newcomer.serving() as dashboard:
        assert ANSWER in newcomer.type(command)
        find_request(newcomer, dashboard, secret)
    assert not standin.script_errors
    assert {record.status for record in standin.messages} == {200}


def ask_as_the_readme_says(newcomer: Newcomer, dashboard: str) -> None:
    """Paste the first request of the README. Only the port is another one, because 8000 may be in use."""
    (command,) = re.findall(r"^curl .+$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)[:1]
    address = dashboard.removesuffix("/dashboard")
    assert "http://localhost:8000" in command
    answer = json.loads(newcomer.type(f"curl -sS {command.replace('http://localhost:8000', address)[5:]}"))
    assert answer["choices"][0]["message"]["content"] == ANSWER


def connect(newcomer: Newcomer, client: Client) -> None:
    """Do what `claude-gateway connect` says for a client, and ask the client something."""
    shown = newcomer.type(f"claude-gateway connect {client.name}")
    labels = list(SECTION.finditer(shown))
    ends = [label.start() for label in labels[1:]] + [len(shown)]
    sections = {label[0]: shown[label.end() : end].strip() for label, end in zip(labels, ends, strict=True)}
    for label in labels:
        if label["path"]:
            path = Path(label["path"].replace("~", str(newcomer.home)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{sections[label[0]]}\n", "utf-8")
    exports = sections.get("Set in the environment:", "")
    program, arguments = client.program()[-1], [fill(one, {"prompt": "Hello!"}) for one in client.ask]
    assert sections["Start it:"].split()[0] == Path(program).name
    answer = newcomer.type(
        f"{exports}\n{Path(program).name} {shlex.join(arguments)}".strip(),
        PATH=f"{Path(program).parent}:{newcomer.environ['PATH']}",
        **client.environ,
    )
    assert ANSWER in answer


def make_key(newcomer: Newcomer, dashboard: str) -> tuple[str, str]:
    """Make a key with a budget in the browser. Return its secret, and the command that the page says to try."""
    browser = newcomer.browser
    browser.open(dashboard.removesuffix("dashboard"))
    newcomer.look("landing", "Ready", "First request")
    newcomer.click("Dashboard", "Overview")
    newcomer.look("overview", "Requests today", "The gateway asks for no keys.")
    newcomer.click("Keys", "Keys")
    newcomer.look("no-keys", "There are no keys yet.", "REQUIRE_AUTH=true")
    newcomer.click("New key", "New key")
    submit(browser, ".card", name="me", usd_per_day=BUDGET, is_admin=True)
    newcomer.await_page("The new key of me")
    newcomer.look("new-key", "Copy it now.", "REQUIRE_AUTH=true")
    secret = browser.run("document.querySelector('.secret').textContent")
    command = browser.run("document.querySelector('.secret ~ pre').textContent")
    newcomer.click("I have copied it", "me")
    newcomer.look("key", "of $2.50 per day")
    assert browser.errors == []
    return secret, command


def require_keys(newcomer: Newcomer) -> None:
    """Set what the pages say, in the file that they name."""
    newcomer.type("echo REQUIRE_AUTH=true >> ~/.local/share/claude-gateway/.env")


def find_request(newcomer: Newcomer, dashboard: str, secret: str) -> None:
    """Sign in, find the request of the key in the list, and look at it and at the rest of the budget."""
    browser = newcomer.browser
    browser.open(dashboard)
    newcomer.look("sign-in")
    submit(browser, "form", key=secret)
    newcomer.await_page("Overview")
    browser.errors.clear()  # of the 401 response
    newcomer.look("overview-with-usage")
    newcomer.click("Requests", "Requests")
    newcomer.click("Follow live", "Requests")
    browser.wait_for("document.querySelectorAll('.requests tbody tr').length >= 4")  # written a second later
    newcomer.look("requests", "/v1/responses", "/v1/chat/completions")
    submit(browser, "form[role=search]", q="me")
    browser.wait_for("document.querySelectorAll('.requests tbody tr').length == 1")
    newcomer.look("request-found", "me", "/v1/chat/completions")
    browser.run("document.querySelector('.requests th a').click()")
    newcomer.await_page("Request")
    newcomer.look("request", "First token", "/v1/chat/completions")
    newcomer.click("me", "me")
    newcomer.look("key-used", "of $2.50 per day")
    assert "$0.00 of" not in browser.run("document.querySelector('.budget').innerText")
    assert browser.errors == []
