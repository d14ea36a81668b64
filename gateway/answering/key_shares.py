"""A share of the worker's turns that no key may exceed, so that one key cannot keep all others waiting.

It applies to keys without a limit of answers at once. The turns belong to the worker, so counting them needs no
database.

>>> shares = KeyShares(1)
>>> release = shares.take("key_1")
>>> shares.take("key_1") is None, shares.take("key_2") is None
(True, False)
"""

from collections import Counter
from collections.abc import Callable


class KeyShares:
    """Counts the running and waiting answers of each key. `most` is the largest number; 0 means no limit."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._used: Counter[str] = Counter()

    def take(self, key_id: str) -> Callable[[], None] | None:
        """Count an answer, and return the function that ends it. Return None if the key's share is used up."""
        if not self.most:
            return _do_nothing
        if self._used[key_id] >= self.most:
            return None
        self._used[key_id] += 1
        is_held = [True]

        def release() -> None:
            if is_held:
                is_held.clear()
                self._used[key_id] -= 1
                if not self._used[key_id]:
                    del self._used[key_id]

        return release


def _do_nothing() -> None:
    pass
