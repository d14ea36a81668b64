"""The channels of the settings, by their names.

For example:

    channels = build_channels(load())
    channels["slack"].send(notice)
"""

from typing import Protocol

from gateway.alerts import hooks
from gateway.alerts.alert import Notice
from gateway.alerts.mail import Mailer
from gateway.settings import Settings


class Channel(Protocol):
    """A way to send notices."""

    def send(self, notice: Notice) -> None:
        """Send a notice. Raises DeliveryFailed."""


def build_channels(settings: Settings) -> dict[str, Channel]:
    """Return the channels that the settings name."""
    found: dict[str, Channel] = {}
    if settings.alert_webhook_url:
        found["webhook"] = hooks.HttpHook(settings.alert_webhook_url, hooks.encode_webhook)
    if settings.alert_slack_url:
        found["slack"] = hooks.HttpHook(settings.alert_slack_url, hooks.encode_slack)
    if settings.alert_ntfy_url:
        found["ntfy"] = hooks.HttpHook(settings.alert_ntfy_url, hooks.encode_ntfy)
    if settings.alert_email_to:
        sender = settings.alert_email_from or settings.alert_email_to[0]
        found["email"] = Mailer(settings.alert_smtp_url, sender, settings.alert_email_to)
    return found
