"""The responses of one WebSocket that are not stored, so that the next message can continue them.

https://www.openresponses.org/specification#websocket-continuation: with `store: false`, `previous_response_id` works on
the connection that the response came over, and nowhere else.
"""

from collections import OrderedDict
from collections.abc import Sequence

from gateway.dialects.common.json_types import Item

#: A client continues its latest response. More are kept for clients with several conversations on one connection.
MAX_RESPONSES = 4


class ConnectionMemory:
    """All items of each of the latest responses: of its input, its output, and the responses before it."""

    def __init__(self) -> None:
        self._responses: OrderedDict[str, list[Item]] = OrderedDict()

    def find(self, response_id: str) -> list[Item] | None:
        """Return the items of a response, the earliest first; None if it is not remembered."""
        return self._responses.get(response_id)

    def remember(self, response_id: str, items: Sequence[Item]) -> None:
        """Remember a response, and forget the oldest one if there are too many."""
        self._responses[response_id] = list(items)
        while len(self._responses) > MAX_RESPONSES:
            self._responses.popitem(last=False)

    def forget(self, response_id: str) -> None:
        """Forget a response, because a continuation of it has failed."""
        self._responses.pop(response_id, None)
