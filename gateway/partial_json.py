r"""Complete JSON that was cut off, for example by a token limit in the middle of a tool call.

`close_json` only appends, for text that a client has already got. `trim_json` also drops a key or a word that is not
complete.

>>> text = '{"path": "a.py", "conte'
>>> text + close_json(text)
'{"path": "a.py", "conte":null}'
>>> trim_json(text)
'{"path": "a.py"}'
"""

import json
import re
from contextlib import suppress
from typing import Any

from gateway.lenient_json import loads

#: Longer text is left alone: reading it would block other requests, and no model writes calls of so many tokens.
MAX_TOKENS = 200_000

_SPACE = " \t\r\n"
_TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<string>"[^"\\]*(?:\\.[^"\\]*)*(?P<quote>"|\\?\Z))'
    r'|(?P<mark>[{}\[\],:])|(?P<scalar>[^\s{}\[\],:"]+))',
    re.DOTALL,
)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_CUT_NUMBER = re.compile(r"-|-?(?:0|[1-9]\d*)(?:\.|(?:\.\d+)?[eE][+-]?)")
_LITERALS = ("true", "false", "null")
# The end of a string: half of a surrogate pair, and the beginning of an escape.
_STRING_END = re.compile(r"(?<!\\)(?:\\\\)*((\\u[dD][89abAB][0-9a-fA-F]{2})?(\\(?:u[0-9a-fA-F]{0,3})?)?)\Z")
_LONGEST_END = 11  # of a string, in characters: half of a pair, and an escape without its last digit
_HIGH_SURROGATE = re.compile(r"\\u[dD][89abAB]")
_CLOSING = {"{": "}", "[": "]"}

# The tokens that may come next, with the text that completes the JSON if nothing comes. An object or list that has just
# been opened may end, but may not after a comma.
_ENDINGS = {
    "value": "null",
    "key": '"":null',
    "colon": ":null",
    "first key": "",
    "first item": "",
    "more": "",
}


def close_json(text: str) -> str:
    """Return what completes `text` when it is appended: "" if it is complete, or not the beginning of JSON."""
    cut = _Cut(text)
    return "" if cut.is_broken else cut.ending + cut.closers()


def trim_json(text: str) -> str | None:
    """Return `text` without its incomplete end, and closed; None if it is not the beginning of JSON.

    Commas and brackets that are too many at the end are dropped.
    """
    cut = _Cut(text)
    if cut.kept is None:
        return None
    length, quote = cut.kept
    if cut.is_broken and text[length:].strip(_SPACE + ",}]"):
        return None
    return text[:length] + quote + cut.closers()


def load_cut(text: str) -> Any:
    """Return the value of JSON that may be cut off, or have line breaks in its strings. Raises ValueError."""
    with suppress(ValueError):
        return loads(text)
    trimmed = trim_json(text)
    if trimmed is None:
        raise ValueError("it is not the beginning of JSON")
    try:
        return json.loads(trimmed, strict=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def load_cut_object(text: str) -> dict[str, Any]:
    """Return the object of JSON that may be cut off; {} for anything else.

    >>> load_cut_object('{"query": "ca'), load_cut_object("")
    ({'query': 'ca'}, {})
    """
    try:
        value = load_cut(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class _Cut:
    """The state of a JSON text at its end.

    `kept` is the length of the longest prefix that can be closed, and the quote that its last string lacks. `ending`
    completes the last value of the whole text. `closers` completes the lists and objects around both: each bracket
    makes a prefix that can be closed.
    """

    def __init__(self, text: str) -> None:
        self.kept: tuple[int, str] | None = None
        self.ending = _ENDINGS["value"]
        self.is_broken = False
        self._text = text
        self._open: list[str] = []
        self._expected = "value"
        position, end = 0, len(text.rstrip(_SPACE))
        for _ in range(MAX_TOKENS):
            if position >= end or self.is_broken:
                break
            token = _TOKEN.match(text, position)
            self.is_broken = token is None or not self._read(token)
            position = token.end() if token else end
        else:
            self.is_broken, self.kept = True, None

    def closers(self) -> str:
        """Return what closes the open lists and objects."""
        return "".join(_CLOSING[mark] for mark in reversed(self._open))

    def _read(self, token: re.Match[str]) -> bool:
        """Read a token. Return False if it is wrong here."""
        if token["mark"]:
            return self._read_mark(token["mark"], token.end())
        if token["string"]:
            return self._read_string(token)
        return self._read_scalar(token["scalar"], token.end())

    def _expect(self, expected: str) -> bool:
        self._expected, self.ending = expected, _ENDINGS[expected]
        return True

    def _keep(self, length: int, quote: str = "") -> bool:
        self.kept = length, quote
        return True

    def _end_value(self, end: int) -> bool:
        """Expect more after a complete value; nothing may follow a complete text."""
        self._expect("more")
        return self._keep(end)

    def _takes_value(self) -> bool:
        return self._expected in ("value", "first item")

    def _read_mark(self, mark: str, end: int) -> bool:
        inside = self._open[-1] if self._open else ""
        if mark in _CLOSING and self._takes_value():
            self._open.append(mark)
            self._expect("first key" if mark == "{" else "first item")
            return self._keep(end)
        if mark == ":" and self._expected == "colon":
            return self._expect("value")
        if mark == "," and self._expected == "more" and inside:
            return self._expect("key" if inside == "{" else "value")
        is_end = self._expected in ("more", "first key", "first item")
        if is_end and inside and mark == _CLOSING[inside]:
            self._open.pop()
            return self._end_value(end)
        return False

    def _read_string(self, token: re.Match[str]) -> bool:
        is_key = self._expected in ("key", "first key")
        if not is_key and not self._takes_value():
            return False
        if token["quote"] == '"':
            return self._expect("colon") if is_key else self._end_value(token.end())
        self.ending = _finish_string(token["string"]) + (":null" if is_key else "")
        found = _find_string_end(self._text)
        return is_key or self._keep(found.start(1) if found else token.end(), '"')

    def _read_scalar(self, word: str, end: int) -> bool:
        if not self._takes_value():
            return False
        if word in _LITERALS or _NUMBER.fullmatch(word):
            return self._end_value(end)
        self.ending = _finish_scalar(word)
        return bool(self.ending) and end == len(self._text)


def _finish_scalar(word: str) -> str:
    """Return the rest of a literal or a number; "" if `word` is neither."""
    literal = next((literal for literal in _LITERALS if literal.startswith(word)), None)
    if literal is not None:
        return literal[len(word) :]
    return "0" if _CUT_NUMBER.fullmatch(word) else ""


def _find_string_end(string: str) -> re.Match[str] | None:
    """Return the match of `_STRING_END`, which must begin before the last backslashes, not among them."""
    start = len(string[:-_LONGEST_END].rstrip("\\"))
    return _STRING_END.search(string, start)


def _finish_string(string: str) -> str:
    """Return the end of a string, which may have to finish an escape, and its quote."""
    found = _find_string_end(string)
    high, escape = (found[2], found[3] or "") if found else (None, "")
    if high:
        return r"\udc00"[len(escape) :] + '"'
    if not escape:
        return '"'
    finished = escape + (r"\u0020" if escape != "\\" else "\\\\")[len(escape) :]
    low = r"\udc00" if _HIGH_SURROGATE.match(finished) else ""
    return finished[len(escape) :] + low + '"'
