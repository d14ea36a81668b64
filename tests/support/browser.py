"""Headless Chromium, driven through its DevTools protocol over a pair of pipes.

For example: `browser.open(url)`, then `browser.wait_for("document.title == 'Dashboard'")`.

Protocol: https://chromedevtools.github.io/devtools-protocol/; over pipes every message ends with a NUL byte.
"""

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import wait_for

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    *(f"--disable-{name}" for name in ("gpu", "quic", "sync", "dev-shm-usage", "component-update")),
    "--disable-background-networking",
)
PATIENCE_SECONDS = 30.0

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")


# Answers to a script that ran while another page was loaded.
PAGE_LEFT = ("Inspected target navigated or closed", "Execution context was destroyed", "Cannot find context")


class PageLeft(Exception):
    """Another page was loaded before a script had ended."""


class Browser:
    """One page in a browser with a fresh profile.

    `errors` collects the errors of scripts and of the console, `requested` the URLs of all requests, and
    `received_bytes` counts the bytes of the responses, as they travel.
    """

    def __init__(self) -> None:
        assert PROGRAM is not None
        self.errors: list[str] = []
        self.requested: list[str] = []
        self.received_bytes = 0
        self._profile = tempfile.TemporaryDirectory(prefix="browser-test-", ignore_cleanup_errors=True)
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        # Chromium reads at descriptor 3 and writes at 4; a shell moves the pipes there.
        shell = f'exec "$0" "$@" 3<&{ends[0]} 4>&{ends[1]}'
        own = [f"--user-data-dir={self._profile.name}", "--remote-debugging-pipe", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", shell, PROGRAM, *FLAGS, *own],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": self._profile.name},
            start_new_session=True,
        )
        for end in (commands, answers, *ends):
            os.close(end)
        self._reader = os.fdopen(self._answers, "rb")
        self._count = 0
        self._session: str | None = None
        self._attach()

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Run a command of the protocol and return its result. Raises PageLeft."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                if answer.get("error", {}).get("message", "").startswith(PAGE_LEFT):
                    raise PageLeft(method)
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self._note_event(answer)

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self._reader.read(1)) != b"\0":
            assert byte, "the browser has exited"
            data += byte
        message: dict[str, Any] = json.loads(data)
        return message

    def _note_event(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event["method"] == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["exception"].get("description", "?"))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif event["method"] == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif event["method"] == "Network.loadingFinished":
            self.received_bytes += params["encodedDataLength"]

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page and return its value; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Evaluate an expression until it is true, also while another page is loaded, and return its value."""

        def evaluate() -> Any:
            with suppress(PageLeft):
                return self.run(script)

        return wait_for(evaluate, PATIENCE_SECONDS)

    def open(self, url: str) -> None:
        """Load a page and its scripts."""
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href == {json.dumps(url)} && document.readyState == 'complete'")

    def set_screen(self, width: int, scheme: str) -> None:
        """Emulate a screen of this width in pixels, with the color scheme "light" or "dark"."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def save_screenshot(self, path: Path) -> None:
        """Write a PNG of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """End the browser with all its processes."""
        os.close(self._commands)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.close()
        self._profile.cleanup()


def submit(browser: Browser, form: str, **values: Any) -> None:
    """Fill in a form and submit it."""
    entries = "".join(
        f"form.elements[{json.dumps(name)}].{'checked' if value is True else 'value'} = {json.dumps(value)};"
        for name, value in values.items()
    )
    with suppress(PageLeft):
        browser.run(
            f"(() => {{ const form = document.querySelector({json.dumps(form)}); {entries} form.requestSubmit() }})()"
        )
