"""The headers by which Anthropic's API tells subscribers the state of their rate-limit windows.

Their names are those that Claude Code reads from the API, which does not document them. For example:

    anthropic-ratelimit-unified-status: allowed
    anthropic-ratelimit-unified-representative-claim: five_hour
    anthropic-ratelimit-unified-reset: 1900000000
    anthropic-ratelimit-unified-5h-utilization: 0.25
    anthropic-ratelimit-unified-5h-reset: 1900000000
"""

from collections.abc import Mapping

from gateway.accounts.states import Window

PREFIX = "anthropic-ratelimit-unified"
#: The names of windows in headers, by their names in the CLI's messages.
SHORT_NAMES = {
    "five_hour": "5h",
    "seven_day": "7d",
    "seven_day_opus": "7d_opus",
    "seven_day_sonnet": "7d_sonnet",
    "seven_day_overage_included": "7d_oi",
    "overage": "overage",
}
_ABOUT_ALL_MODELS = ("five_hour", "seven_day")
_SEVERITY = ("allowed", "allowed_warning", "rejected")
#: All headers, for pages of other sites, which may read only those that are named.
NAMES = (
    *(f"{PREFIX}-{name}" for name in ("status", "reset", "representative-claim")),
    *(
        f"{PREFIX}-{short}-{name}"
        for short in SHORT_NAMES.values()
        for name in ("utilization", "reset", "status")
    ),
)


def make_limit_headers(windows: Mapping[str, Window], now: float) -> dict[str, str]:
    """Return the headers for the windows of an account. Windows that have been reset since are left out."""
    known = {name: window for name, window in windows.items() if not window.has_reset(now)}
    headers: dict[str, str] = {}
    for name, short in SHORT_NAMES.items():
        if name in known:
            headers |= _describe(f"{PREFIX}-{short}", known[name])
    claims = [name for name in _ABOUT_ALL_MODELS if name in known]
    if claims:
        claim = max(claims, key=lambda name: _severity(known[name]))
        whole = _describe(
            PREFIX, known[claim]._replace(utilization=None, status=known[claim].status or "allowed")
        )
        headers |= {f"{PREFIX}-representative-claim": claim, **whole}
    return headers


def _describe(prefix: str, window: Window) -> dict[str, str]:
    headers = {}
    if window.utilization is not None:
        headers[f"{prefix}-utilization"] = f"{window.utilization:g}"
    if window.resets_at is not None:
        headers[f"{prefix}-reset"] = f"{window.resets_at:.0f}"
    if window.status is not None:
        headers[f"{prefix}-status"] = window.status
    return headers


def _severity(window: Window) -> tuple[int, float]:
    status = _SEVERITY.index(window.status) if window.status in _SEVERITY else 0
    return status, window.utilization or 0.0
