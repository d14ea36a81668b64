"""Decode text files in any encoding.

>>> decode_text("Größe".encode("latin-1")).text
'Größe'
"""

import codecs
import re
from typing import NamedTuple

from charset_normalizer import CharsetMatch, from_bytes

from gateway.dialects.common.file_kinds import UnreadableError, describe_kind

_SAMPLE_BYTES = 16_384
_UTF_8 = "utf-8"
# UTF-32 goes first: its little-endian mark begins with the mark of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Other encodings that files have. Among those that explain the bytes equally well, the first one is used.
_CANDIDATES = (
    *("cp1252", "cp1250", "cp932", "gb18030", "big5", "euc_jp", "cp949", "cp1251", "koi8_r"),
    *("cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"),
)
_FALLBACK = "cp1252"
_MAX_CONTROL_SHARE = 0.01
# Marks inside of words, and capital letters at their ends, are the wrong reading of another encoding's letters.
_MISREAD = re.compile(r"[^\W\d_][£¥¹¿¼½¾¤¦¨¬±]|[¿³¹£¥][a-zà-ÿ]|[a-zß-ÿ][À-ÖØ-ÞŸŠŽŒ]|[\uff61-\uff9f]")
_ASCII_LETTERS = re.compile(r"[A-Za-z]")
_ACCENTED_LETTERS = re.compile(r"[À-ɏ]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b"})


class DecodedText(NamedTuple):
    """Text, and whether its encoding was another one than UTF-8."""

    text: str
    is_converted: bool


def decode_text(content: bytes, charset: str | None = None) -> DecodedText:
    """Return the text of a file. `charset` is what the client says. Raises UnreadableError for other files."""
    mark = next((mark for mark in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    if mark is not None or b"\0" in content:
        encoding = _BYTE_ORDER_MARKS[mark] if mark else _wide_encoding(content)
        text = content.decode(encoding, "replace")
        if _is_binary(text.encode(_UTF_8, "replace")):
            raise _not_text(content)
        return DecodedText(text, encoding != "utf-8-sig")
    if _is_binary(content):
        raise _not_text(content)
    for encoding in (_UTF_8, charset or _UTF_8):
        decoded = _try_decode(content, encoding)
        if decoded is not None:
            return DecodedText(decoded, encoding != _UTF_8)
    return DecodedText(content.decode(_detect(content), "replace"), True)


def _wide_encoding(content: bytes) -> str:
    """Return which UTF-16 the content is: in most languages, every other byte is often zero."""
    sample = content[:_SAMPLE_BYTES]
    zeros = (sample[::2].count(0), sample[1::2].count(0))
    if len(content) % 2 or max(zeros) < len(sample) / 8 or min(zeros) * 20 > max(zeros):
        raise _not_text(content)
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def _is_binary(content: bytes) -> bool:
    sample = content[:_SAMPLE_BYTES]
    return len(sample) - len(sample.translate(None, _CONTROLS)) > _MAX_CONTROL_SHARE * len(sample)


def _not_text(content: bytes) -> UnreadableError:
    kind = describe_kind(content)
    advice = (
        "Unpack it and send the files in it." if "archive" in kind else "Send it as a PDF file or as text."
    )
    return UnreadableError(f"The file is {kind}, which the model cannot read. {advice}")


def _try_decode(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _detect(content: bytes) -> str:
    """Return the likely encoding of text that is not valid UTF-8."""
    foreign = _NOT_ASCII.search(content)
    start = content.rfind(b"\n", 0, foreign.start()) + 1 if foreign else 0
    sample = content[start : start + _SAMPLE_BYTES]
    if start + _SAMPLE_BYTES < len(content):
        sample = sample.rpartition(b"\n")[0] or sample  # at the end of a line no character is cut in half
    if _is_mostly_utf_8(sample):
        return _UTF_8
    matches = [
        found
        for match in from_bytes(sample, cp_isolation=list(_CANDIDATES))
        for found in (match, *match.submatch)
    ]
    return min(matches, key=_rank).encoding if matches else _FALLBACK


def _is_mostly_utf_8(sample: bytes) -> bool:
    """Return True if only a few bytes are wrong, for example in a log file that was cut."""
    text = sample.decode(_UTF_8, "replace")
    wrong = text.count("\ufffd")
    return sum(character > "\x7f" for character in text) > 10 * wrong


def _rank(match: CharsetMatch) -> tuple[float, float, bool, int, int]:
    text = str(match)
    is_foreign = len(_ACCENTED_LETTERS.findall(text)) > 2 * len(_ASCII_LETTERS.findall(text))
    misread = len(_MISREAD.findall(text))
    return (
        round(match.chaos, 2),
        -round(match.coherence, 1),
        is_foreign,
        misread,
        _CANDIDATES.index(match.encoding),
    )
