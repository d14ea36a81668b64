"""Checks of the way to Anthropic's API: it can be reached, and this machine's clock agrees with it.

The clock matters because logins, budgets and the expiry of keys depend on it.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from gateway.command_line.checks.findings import NOTE, OK, WRONG, Finding
from gateway.exposure import is_loopback
from gateway.settings import Settings

API = "https://api.anthropic.com"
OTHER_PROVIDERS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
TOLERANCE_SECONDS = 30.0
PATIENCE_SECONDS = 10.0


def check_api(settings: Settings) -> Iterator[Finding]:
    """Check that this machine reaches the API, through the proxy of the settings if there is one."""
    if given := _other_provider(settings.environ):
        yield NOTE, f"the way to the model was not checked: {given} selects another provider"
        return
    url = _api_url(settings.environ)
    begun = time.monotonic()
    try:
        _ask(url, settings.environ)
    except OSError as error:
        yield (
            WRONG,
            f"{url} cannot be reached ({_reason(error)}): check the network, or set HTTPS_PROXY to its proxy",
        )
        return
    yield OK, f"{url} can be reached ({time.monotonic() - begun:.1f} s)"


def check_clock(settings: Settings) -> Iterator[Finding]:
    """Compare the clock of this machine with the API's."""
    url = _api_url(settings.environ)
    try:
        date = _ask(url, settings.environ)["date"]
    except OSError:
        date = None
    if date is None:
        yield NOTE, f"the clock was not checked, because {url} did not say the time"
        return
    difference = time.time() - parsedate_to_datetime(date).timestamp()
    if abs(difference) <= TOLERANCE_SECONDS:
        yield OK, "the clock is right"
    else:
        side = "fast" if difference > 0 else "slow"
        yield (
            WRONG,
            f"the clock is {abs(difference):.0f} s {side}: set it, for example with timedatectl set-ntp true",
        )


def _other_provider(environ: Mapping[str, str]) -> str | None:
    return next((name for name in OTHER_PROVIDERS if environ.get(name)), None)


def _api_url(environ: Mapping[str, str]) -> str:
    return (environ.get("ANTHROPIC_BASE_URL") or API).rstrip("/")


def _ask(url: str, environ: Mapping[str, str]) -> Message:
    """Return the headers of an answer of any status. Raise OSError if no server answers."""
    request = urllib.request.Request(url, method="HEAD")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(_proxies(url, environ)))
    try:
        with opener.open(request, timeout=PATIENCE_SECONDS) as response:
            headers: Message = response.headers
            return headers
    except urllib.error.HTTPError as error:
        return error.headers


def _proxies(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies that the CLI uses, too. They cannot reach a server on this machine."""
    if is_loopback(urlsplit(url).hostname or ""):
        return {}
    schemes = ("https", "http")
    given = {
        scheme: environ.get(f"{scheme.upper()}_PROXY") or environ.get(f"{scheme}_proxy") for scheme in schemes
    }
    return {scheme: proxy for scheme, proxy in given.items() if proxy}


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", error))
