"""Send notices over HTTP: to a generic webhook, to Slack and to ntfy.

The addresses are the operator's, so they may lead to private networks, and they are secrets: no error and no log line
contains any part of them.
"""

import base64
import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

from gateway.alerts.alert import Notice
from gateway.alerts.failures import DeliveryFailed, describe_failure

SECONDS = 10.0  # for each step of a request
USER_AGENT = "claude-code-gateway"
#: Answers to a request that the same request will get again.
PERMANENT = frozenset({400, 401, 403, 404, 405, 410})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without the notice."""

    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect."""


@dataclass(frozen=True, slots=True, repr=False)
class HttpHook:
    """A channel that posts to `url` what `encode` makes of a notice: a body and headers."""

    url: str
    encode: Callable[[Notice], tuple[bytes, Mapping[str, str]]]

    def send(self, notice: Notice) -> None:
        """Send a notice. Raises DeliveryFailed."""
        body, headers = self.encode(notice)
        bare, credentials = _split_credentials(self.url)
        try:
            request = urllib.request.Request(bare, body, {"User-Agent": USER_AGENT, **headers, **credentials})
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=SECONDS):
                return
        except HTTPError as error:
            error.close()
            raise DeliveryFailed(f"HTTP {error.code}", is_final=error.code in PERMANENT) from None
        except (HTTPException, OSError, ValueError) as error:
            raise DeliveryFailed(describe_failure(error)) from None


def encode_webhook(notice: Notice) -> tuple[bytes, Mapping[str, str]]:
    """Return a notice as JSON."""
    return _to_json(notice.to_json())


def encode_slack(notice: Notice) -> tuple[bytes, Mapping[str, str]]:
    """Return a notice as a message of Slack's incoming webhooks.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """
    title, text = _escape_slack(notice.title), _escape_slack(notice.text)
    return _to_json({"text": f"*{title}*\n{text}"})


def encode_ntfy(notice: Notice) -> tuple[bytes, Mapping[str, str]]:
    """Return a notice as a message of ntfy, whose headers take ASCII or RFC 2047.

    https://docs.ntfy.sh/publish/
    """
    title = f"=?UTF-8?B?{base64.b64encode(notice.title.encode()).decode()}?="
    tag, priority = ("white_check_mark", "3") if notice.state == "resolved" else ("warning", "4")
    return notice.text.encode(), {"Title": title, "Tags": tag, "Priority": priority}


def _to_json(body: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def _escape_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without its user and password, and the header that has them instead."""
    parts = urlsplit(url)
    user, separator, host = parts.netloc.rpartition("@")
    if not separator:
        return url, {}
    token = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {token}"}
