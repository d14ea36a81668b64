"""The requests that the stand-in received: one record per request, shared between threads."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from .prompt import Body, last_user_text

T = TypeVar("T")

# A predicate may depend on more than the records, so it is evaluated at least this often.
_RECHECK_SECONDS = 0.01

SESSION = "x-claude-code-session-id"


@dataclass
class Recorded:
    """One request and its response so far. Times are `time.monotonic()` seconds, None until they are known.

    `headers` have lower-case names. `body` is `{}` if the request had no JSON object. `deltas` counts the content
    deltas sent. `aborted` becomes true if the client disconnects before the end of the response. `finished` and
    `aborted` are set just after the last byte, so use `StandIn.wait_for` to look at them. `is_late` is true if the
    session belongs to an earlier test (see `Ledger.retire`).
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: Body = field(repr=False)
    raw: bytes = field(repr=False)
    arrived: float
    first_byte: float | None = None
    finished: float | None = None
    aborted: bool = False
    status: int | None = None
    deltas: int = 0
    is_late: bool = False
    changed: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    @property
    def is_message(self) -> bool:
        """Return whether it is a POST to /v1/messages."""
        return self.method == "POST" and self.path.partition("?")[0] == "/v1/messages"

    @property
    def betas(self) -> tuple[str, ...]:
        """Return the values of the `anthropic-beta` header."""
        return tuple(filter(None, map(str.strip, self.headers.get("anthropic-beta", "").split(","))))

    @property
    def text(self) -> str:
        """Return the text of the last user message."""
        return last_user_text(self.body)

    def begin(self, status: int) -> None:
        """Note that the head of the response is about to be sent."""
        self.status = status
        self.first_byte = time.monotonic()
        self.changed()

    def count(self, deltas: int) -> None:
        """Note that this many deltas are about to be sent."""
        self.deltas += deltas
        self.changed()

    def end(self, aborted: bool = False) -> None:
        """Note that the response is over."""
        self.aborted = aborted
        self.finished = time.monotonic()
        self.changed()


class Records(list[Recorded]):
    """Requests in the order in which they arrived."""

    @property
    def last(self) -> Recorded:
        """Return the latest request. Raises LookupError if the list is empty."""
        if not self:
            raise LookupError("no request has arrived")
        return self[-1]


class Ledger:
    """All records; they can be read while requests are served."""

    def __init__(self) -> None:
        self._records = Records()
        self._retired: set[str] = set()
        self._change = threading.Condition()

    def open(self, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> Recorded:
        """Record a request that has just been read, and return the record."""
        lowered = {name.lower(): value for name, value in headers.items()}
        record = Recorded(
            method, path, lowered, _json_object(raw), raw, time.monotonic(), changed=self.notify
        )
        with self._change:
            record.is_late = lowered.get(SESSION) in self._retired
            if not record.is_late:
                self._records.append(record)
            self._change.notify_all()
        return record

    def snapshot(self) -> Records:
        """Return a copy of the list. Its records continue to change."""
        with self._change:
            return Records(self._records)

    def clear(self) -> None:
        """Forget all records."""
        with self._change:
            self._records.clear()

    def retire(self) -> None:
        """Ignore further requests of the CLI sessions seen so far: a session that is ending may send another one."""
        with self._change:
            self._retired |= {
                record.headers[SESSION] for record in self._records if SESSION in record.headers
            }

    def notify(self) -> None:
        """Wake all threads that wait for a change."""
        with self._change:
            self._change.notify_all()

    def wait_for(self, predicate: Callable[[], T], timeout: float) -> T:
        """Return the first true value of the predicate. Raises TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not (value := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"The condition was not true within {timeout} s. Requests: {self.snapshot()}"
                )
            with self._change:
                self._change.wait(_RECHECK_SECONDS)
        return value


def _json_object(raw: bytes) -> Body:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
