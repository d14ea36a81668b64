"""An alert, and its forms: JSON for programs, and text for people.

>>> alert = Alert("disk", "disk/host1//data", "The disk is 91 % full", "/data on host1 is 91 % full.")
>>> Notice.of(alert, "alert_1").to_json()["kind"]
'disk'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Alert:
    """An event that a person should know of.

    `key` names the event: two alerts with the same key are the same alert. `data` has its figures, for programs.
    """

    kind: str
    key: str
    title: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert as it is sent. Receivers can recognize a repetition by `id`. `state` is "open" or "resolved"."""

    id: str
    kind: str
    title: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    state: str = "open"
    created_at: float = 0.0

    @classmethod
    def of(cls, alert: Alert, alert_id: str) -> Notice:
        """Return the notice of a new alert."""
        return cls(alert_id, alert.kind, alert.title, alert.text, alert.data)

    def to_json(self) -> dict[str, Any]:
        """Return the body of a generic webhook."""
        return {"object": "alert", **asdict(self), "data": dict(self.data)}
