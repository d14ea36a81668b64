"""The settings of alerts: events that are worth an alert, and the channels that send them."""

from dataclasses import dataclass

from gateway.setting_fields import HTTP_URL, PERCENTS, SMTP_URL, at_least, between, list_of, setting

#: The kinds of alerts, in the order of the documentation.
KINDS = ("budget", "window", "login", "starts", "disk", "cli")


@dataclass(frozen=True)  # a class cannot have two bases with slots
class AlertSettings:
    """The settings of alerts, as a part of `Settings`."""

    alert_webhook_url: str | None = setting(
        None,
        "Address that gets each [alert](alerts.md) as JSON. `https://USER:PASSWORD@HOST/…` sends a password.",
        HTTP_URL,
        section="Alerts",
        is_secret=True,
    )
    alert_slack_url: str | None = setting(
        None,
        "Incoming webhook of Slack, or of a program that takes the same messages.",
        HTTP_URL,
        is_secret=True,
    )
    alert_ntfy_url: str | None = setting(
        None,
        "Topic of ntfy, for example `https://ntfy.sh/TOPIC`. `https://:TOKEN@HOST/TOPIC` sends an access token.",
        HTTP_URL,
        is_secret=True,
    )
    alert_email_to: tuple[str, ...] = setting((), "Email addresses that get alerts.")
    alert_email_from: str | None = setting(
        None, "Sender of emails. Without it, the first address of `ALERT_EMAIL_TO`."
    )
    alert_smtp_url: str = setting(
        "smtp://localhost:25",
        "Mail server: `smtp://USER:PASSWORD@HOST:587` (encrypted if the server can) or `smtps://…` (always).",
        SMTP_URL,
        is_secret=True,
    )
    alert_kinds: tuple[str, ...] = setting(
        KINDS,
        "Kinds of alerts to send. See [the list](alerts.md#kinds).",
        list_of(KINDS, "list of kinds"),
        is_live=True,
    )
    alert_budget_percents: tuple[str, ...] = setting(
        ("80", "100"),
        "Used shares of a key's budget per day or month that cause an alert.",
        PERCENTS,
        is_live=True,
    )
    alert_window_percents: tuple[str, ...] = setting(
        ("80", "95"),
        "Used shares of a subscription's window that cause an alert.",
        PERCENTS,
        is_live=True,
    )
    alert_disk_percent: int = setting(
        90,
        "Used share of a disk with the gateway's data that causes an alert. 0 means never.",
        between(0, 100),
        is_live=True,
    )
    alerts_ttl_days: int = setting(
        90,
        "Days after which alerts are deleted from the log of alerts.",
        at_least(1),
        is_live=True,
    )
