"""Translate the JSON text of an output, as it streams, from the model's form to the client's.

>>> text = OutputText(ValueMapping({}, is_wrapped=True))
>>> [text.feed('{"val'), text.feed('ue": [1,'), text.feed(" {}]"), text.feed("}"), text.finish()]
['', '[1,', ' {}]', '', '']
"""

import json
import re

from gateway.json_schema.mapping import WRAPPER, ValueMapping

_OPENING = re.compile(rf'\s*\{{\s*"{WRAPPER}"\s*:\s*')
_CLOSING = re.compile(r"\s*(?:\}\s*)?\Z")


class OutputText:
    """The text of one output.

    Text in the client's form passes at once. A wrapper is removed as the text streams. Other names of properties need
    the whole text.
    """

    def __init__(self, mapping: ValueMapping | None) -> None:
        self._mapping = mapping
        self._is_open = mapping is None  # True once text may pass
        self._held = ""

    def feed(self, fragment: str) -> str:
        """Return the text that may be sent after this fragment of the model's text."""
        if self._mapping is None:
            return fragment
        self._held += fragment
        if self._mapping.aliases:
            return ""
        if not self._is_open:
            opening = _OPENING.match(self._held)
            if opening is None:
                return ""
            self._is_open = True
            self._held = self._held[opening.end() :]
        return self._take_all_but_closing()

    def finish(self) -> str:
        """Return the rest of the text. Text that is not complete stays as the model wrote it."""
        held, self._held = self._held, ""
        if self._mapping is None or self._is_open:
            return ""
        try:
            value = json.loads(held)
        except ValueError:
            return held
        return json.dumps(self._mapping.to_client(value), ensure_ascii=False)

    def _take_all_but_closing(self) -> str:
        """Hold back what may be the end of the wrapper."""
        closing = _CLOSING.search(self._held)
        start = closing.start() if closing is not None else len(self._held)
        taken, self._held = self._held[:start], self._held[start:]
        return taken
