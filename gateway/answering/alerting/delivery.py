"""Deliver alerts in the background, with a bounded number of attempts.

The queue is in the database: if a worker ends, another one continues. An alert may arrive twice only if its worker is
killed between an attempt and its record.
"""

import logging
from collections.abc import Mapping, Sequence

import gevent
from gevent.event import Event

from gateway.alerts.alert import Notice
from gateway.alerts.channels import Channel
from gateway.alerts.failures import DeliveryFailed
from gateway.errors import StoreError
from gateway.store.alerts import Alerts, Delivery

log = logging.getLogger(__name__)

POLL_SECONDS = 15.0  # to find the deliveries of workers that have ended
ATTEMPT_SECONDS = 30.0  # the longest attempt, and less than the lease in the database
CLOSE_SECONDS = 2.0  # the longest wait for running attempts when the worker ends
PAUSES = (10.0, 60.0, 300.0, 1800.0)  # seconds after the first, second … failed attempt


class Deliveries:
    """The greenlet of a worker that delivers alerts. It runs only if there are channels."""

    def __init__(
        self, alerts: Alerts, channels: Mapping[str, Channel], pauses: Sequence[float] = PAUSES
    ) -> None:
        self._alerts = alerts
        self._channels = channels
        self._pauses = pauses
        self._has_new = Event()
        self._attempts: set[gevent.Greenlet[..., None]] = set()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def open(self) -> None:
        """Start to deliver."""
        if self._channels:
            self._greenlet = gevent.spawn(self._deliver_forever)

    def wake(self) -> None:
        """Look for new deliveries now."""
        self._has_new.set()

    def close(self) -> None:
        """Begin no attempt any more, and wait a moment for the running ones."""
        if self._greenlet is not None:
            self._greenlet.kill()
        gevent.joinall(list(self._attempts), timeout=CLOSE_SECONDS)

    def _deliver_forever(self) -> None:
        while True:
            self._has_new.clear()
            try:
                for delivery in self._alerts.take_due():
                    attempt = gevent.spawn(self._attempt, delivery)
                    self._attempts.add(attempt)
                    attempt.link(self._attempts.discard)
            except StoreError:
                log.warning("alerts cannot be delivered while the database fails; trying again")
            self._has_new.wait(POLL_SECONDS)

    def _attempt(self, delivery: Delivery) -> None:
        problem = try_to_send(self._channels.get(delivery.channel), delivery.notice)
        try:
            self._record(delivery, problem)
        except StoreError:
            log.warning("the delivery of the alert %s could not be recorded", delivery.notice.id)

    def _record(self, delivery: Delivery, problem: DeliveryFailed | None) -> None:
        name, kind = delivery.channel, delivery.notice.kind
        if problem is None:
            self._alerts.record_sent(delivery)
            log.info("alert sent", extra={"alert": delivery.notice.id, "kind": kind, "channel": name})
            return
        can_retry = not problem.is_final and delivery.attempts <= len(self._pauses)
        pause = self._pauses[delivery.attempts - 1] if can_retry else None
        self._alerts.record_failure(delivery, str(problem), pause)
        end = "it is given up" if pause is None else f"the next attempt is in {pause:.0f} s"
        log.warning("the alert %s was not sent over %s (%s); %s", delivery.notice.id, name, problem, end)


def try_to_send(channel: Channel | None, notice: Notice) -> DeliveryFailed | None:
    """Send a notice, and return the reason if that failed."""
    if channel is None:
        return DeliveryFailed("the channel is no longer in the settings", is_final=True)
    too_long = DeliveryFailed("timed out")
    try:
        with gevent.Timeout(ATTEMPT_SECONDS, too_long):
            channel.send(notice)
    except DeliveryFailed as problem:
        return problem
    except Exception as error:  # noqa: BLE001  its text may contain an address, so only its type is logged
        log.error("an alert could not be sent: %s", type(error).__name__)
        return DeliveryFailed(type(error).__name__)
    return None
