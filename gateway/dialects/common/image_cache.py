"""Prepare images for the model, each one once and off the event loop.

Clients send all images of a conversation again with every message, so the work is remembered by the digest of the
image. Decoding and scaling takes some 50 to 300 ms of CPU time. It runs in gevent's thread pool, because it would stop
all other requests of the worker, and Pillow releases the interpreter's lock for most of it.
"""

import base64
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from gevent import get_hub
from gevent.lock import BoundedSemaphore

from gateway.dialects.common.file_kinds import UnreadableError
from gateway.dialects.common.images import fit_image

#: The size of all remembered images, in bytes. Images that need no change take some hundred bytes each.
MAX_CACHED_BYTES = 32 * 1024 * 1024
_ENTRY_BYTES = 512

# Images that a worker scales at the same time. More would only fill the cores and the memory.
_turns = BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image in base64 that the model can see. `is_changed` is False if it is the client's, byte for byte."""

    media_type: str
    data: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The remembered result for an image. `changed` is its new base64, and `problem` is set for a broken image."""

    media_type: str = ""
    changed: str | None = None
    problem: str | None = None

    @property
    def byte_count(self) -> int:
        return _ENTRY_BYTES + len(self.changed or "")


class ImageCache:
    """The images that were prepared last, by the digest of their base64."""

    def __init__(self, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._byte_count = 0
        self._outcomes: OrderedDict[bytes, _Outcome] = OrderedDict()

    def prepare(self, data: str) -> PreparedImage:
        """Return the image, scaled or converted if it has to be. Other greenlets run until it is ready.

        Raises UnreadableError.
        """
        key = hashlib.sha256(data.encode()).digest()
        outcome = self._outcomes.get(key)
        if outcome is None:
            with _turns:
                outcome = get_hub().threadpool.apply(_work, (data,))
            self._remember(key, outcome)
        else:
            self._outcomes.move_to_end(key)
        if outcome.problem is not None:
            raise UnreadableError(outcome.problem)
        return PreparedImage(outcome.media_type, outcome.changed or data, outcome.changed is not None)

    def _remember(self, key: bytes, outcome: _Outcome) -> None:
        replaced = self._outcomes.pop(key, None)
        self._outcomes[key] = outcome
        self._byte_count += outcome.byte_count - (replaced.byte_count if replaced else 0)
        while self._byte_count > self._max_bytes:
            _, oldest = self._outcomes.popitem(last=False)
            self._byte_count -= oldest.byte_count


def _work(data: str) -> _Outcome:
    """Fit one image. Runs in a thread, and gevent would print a traceback if it raised an error."""
    try:
        fitted = fit_image(base64.b64decode(data))
    except UnreadableError as error:
        return _Outcome(problem=str(error))
    changed = None if fitted.content is None else base64.b64encode(fitted.content).decode()
    return _Outcome(fitted.media_type, changed)


IMAGES = ImageCache()
