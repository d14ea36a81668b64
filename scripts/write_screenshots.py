"""Write the picture of the README: the dashboard of a gateway with made-up usage, in headless Chromium.

Run it after changes of that page: python -m scripts.write_screenshots
"""

import base64
import random
import tempfile
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

from gateway.record import Record
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.usage import UsageTable
from gateway.turn import Usage
from tests.support.browser import Browser
from tests.support.gateway import ROOT, Gateway
from tests.support.scripted import ScriptedCli

PICTURE = ROOT / "docs/images/dashboard.png"
KEYS = {"alice": 0.4, "bob": 0.25, "ci": 0.2, "support-bot": 0.15}
MODELS = {"claude-sonnet-5": 0.6, "claude-opus-5": 0.25, "claude-haiku-5-5": 0.15}
DAYS, ANSWERS_PER_DAY = 30, 300
WIDTH, HEIGHT = 1280, 720


def make_records(key_ids: dict[str, str], now: datetime) -> list[Record]:
    """Return the answers of the last days: fewer at night and on weekends, and a few that failed."""
    chance = random.Random(7)
    records = []
    for number in range(DAYS * ANSWERS_PER_DAY):
        started = now - timedelta(seconds=chance.uniform(0, DAYS * 86400))
        is_quiet = started.weekday() >= 5 or not 7 <= started.hour <= 20
        if not (is_quiet and chance.random() < 0.75):
            records.append(make_record(chance, f"req_{number:032x}", started, key_ids))
    return records


def make_record(chance: random.Random, request_id: str, started: datetime, key_ids: dict[str, str]) -> Record:
    """Return one answer of a random key and model."""
    name = chance.choices([*KEYS], [*KEYS.values()])[0]
    model = chance.choices([*MODELS], [*MODELS.values()])[0]
    is_failed = chance.random() < 0.01
    output = 0 if is_failed else int(chance.lognormvariate(6, 0.8))
    return Record(
        request_id=request_id,
        endpoint="/v1/chat/completions",
        started_at=started,
        model=model,
        key_id=key_ids[name],
        key_name=name,
        outcome="failed" if is_failed else "complete",
        error="overloaded" if is_failed else None,
        first_seconds=None if is_failed else chance.uniform(0.5, 1.6),
        seconds=output / 80 + 1,
        usage=Usage(output * 2, output * 9, output, output, output // 4, output * 4e-5),
    )


def fill_database(folder: str) -> str:
    """Add keys and usage to the gateway's database, and return the secret of an admin key."""
    store = Store(f"sqlite:///{folder}/gateway.db")
    store.open()
    keys = Keys(store)
    ids = {name: keys.create(name, limits={"usd_per_month": 50.0})[0].id for name in KEYS}
    UsageTable(store).add_records(make_records(ids, datetime.now(timezone.utc)))
    _, secret = keys.create("admin", is_admin=True)
    store.close()
    return secret


def sign_in(browser: Browser, url: str, secret: str) -> None:
    """Sign in with a key, and wait for the first page."""
    browser.open(url)
    form = "document.forms[0]"
    browser.run(f"(() => {{ {form}.elements.key.value = '{secret}'; {form}.submit() }})()")
    browser.wait_for("document.querySelector('nav') !== null")


def take_picture(browser: Browser, url: str) -> bytes:
    """Return a picture of a page as PNG."""
    browser.open(url)
    browser.wait_for("document.querySelectorAll('.plot canvas').length >= 2")  # the charts are there
    return base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])


def main() -> None:
    """Write the picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, closing(Browser()) as browser:
        settings = {"REQUIRE_AUTH": "true", "API_KEYS": "unused", "ANTHROPIC_API_KEY": "sk-ant-dummy"}
        with closing(Gateway({**ScriptedCli(Path(folder)).environ, **settings})) as gateway:
            gateway.await_warm(1)
            secret = fill_database(gateway.home.name)
            size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
            browser.call("Emulation.setDeviceMetricsOverride", **size)
            sign_in(browser, f"{gateway.url}/dashboard", secret)
            PICTURE.write_bytes(take_picture(browser, f"{gateway.url}/dashboard?range=30d"))


if __name__ == "__main__":
    main()
