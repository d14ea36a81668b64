"""Plans of conversations that `strategies` generates, `rendering` writes as bodies and `expectations` reads as a model.

A plan knows no dialect. Each text, file, call and name in it holds a mark that occurs nowhere else, so that a check
can find it in the request that reached the model.

>>> plan = Plan("chat", (UserTurn((Said("Hi Q1x0z"),)),))
>>> plan.turns[0].pieces[0].text
'Hi Q1x0z'
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from PIL import Image

MARK = re.compile(r"Q[0-9a-f]+z")

Dialect = Literal["chat", "responses", "messages", "completions"]

#: Pictures that the model can get unchanged, that have to be converted, and that nothing can read.
GOOD_PICTURES = ("png", "gif", "url")
CONVERTED_PICTURES = ("wide", "bmp")
BAD_PICTURES = ("heic", "svg", "cut off", "no base64")
GOOD_UPLOADS = ("utf-8", "pdf")
CONVERTED_UPLOADS = ("latin-1",)
BAD_UPLOADS = ("docx",)


@dataclass(frozen=True)
class Said:
    """A text."""

    text: str


@dataclass(frozen=True)
class Picture:
    """An image of a kind; the number makes its pixels unique."""

    kind: str
    number: int

    @property
    def is_bad(self) -> bool:
        """Return whether nothing can read it."""
        return self.kind in BAD_PICTURES

    @property
    def url(self) -> str:
        """Return its http URL or data URL."""
        if self.kind == "url":
            return f"https://example.com/{self.number}.png"
        return f"data:image/png;base64,{self.data}"

    @property
    def data(self) -> str:
        """Return its base64."""
        return "!!!" if self.kind == "no base64" else _encode(_draw(self.kind, self.number))


@dataclass(frozen=True)
class Upload:
    """A file of a kind that holds a text."""

    kind: str
    text: str

    @property
    def is_bad(self) -> bool:
        """Return whether nothing can read it."""
        return self.kind in BAD_UPLOADS

    @property
    def data(self) -> str:
        """Return its base64."""
        return _encode(_FILES[self.kind](self.text))


@dataclass(frozen=True)
class Foreign:
    """A part or an item of a type that only other APIs have; `number` chooses one that the dialect may meet."""

    number: int
    text: str


Piece = Said | Picture | Upload | Foreign


@dataclass(frozen=True)
class Call:
    """A call of a tool with its results: none, one or several.

    `is_cut` means that its arguments end in the middle, as max_tokens leaves them.
    """

    id: str
    tool: str
    text: str
    results: tuple[tuple[Piece, ...], ...] = ()
    is_cut: bool = False


@dataclass(frozen=True)
class UserTurn:
    """A message of the user, or of one of several speakers."""

    pieces: tuple[Piece, ...]
    speaker: str | None = None


@dataclass(frozen=True)
class AssistantTurn:
    """A message of the assistant, with the results of its calls. `orphans` are results that no call has."""

    pieces: tuple[Piece, ...]
    calls: tuple[Call, ...] = ()
    orphans: tuple[Said, ...] = ()
    reverses_results: bool = False


@dataclass(frozen=True)
class Note:
    """A system message between turns."""

    role: str
    text: str


Turn = UserTurn | AssistantTurn | Note


@dataclass(frozen=True)
class ToolPlan:
    """A tool. `is_sound` says that the API accepts its name and its schema as they are."""

    name: str
    description: str
    schema: Any
    is_sound: bool = True

    @property
    def mark(self) -> str:
        """Return the mark in the description."""
        (mark,) = MARK.findall(self.description)
        return str(mark)


@dataclass(frozen=True)
class AnswerPlan:
    """The schema that the answer must have. It holds a mark."""

    schema: dict[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter, and what may become of it.

    `upstream` is a path in the model's request with the value that it has there, and `named` the name under which a
    header may mention it instead. `refusals` are the fields that a 400 may name.
    """

    name: str
    value: Any
    upstream: tuple[str, Any] | None = None
    named: str = ""
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A request. `system` are its leading system texts; `model` is a spelling with the start of the model's id.

    `later` are the user's messages in the next requests of the conversation. With `is_stored` the gateway stores the
    conversation, so that the next request has only the turns after the first `known` ones, and the id of the answer.
    """

    dialect: Dialect
    turns: tuple[Turn, ...]
    system: tuple[str, ...] = ()
    tools: tuple[ToolPlan, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    model: tuple[str | None, str] = (None, "claude-")
    stream: bool = False
    later: tuple[UserTurn, ...] = ()
    answer: AnswerPlan | None = None
    is_stored: bool = False
    known: int = 0
    previous_id: str = ""

    @property
    def newest(self) -> int:
        """Return the index of the first turn after the last answer."""
        answers = [index for index, turn in enumerate(self.turns) if isinstance(turn, AssistantTurn)]
        return answers[-1] + 1 if answers else 0

    def continued(self, answer: AssistantTurn, answer_id: str) -> Plan:
        """Return the plan of the next request, with the answer to this one. It streams if this did not.

        The user's next message follows, unless the answer has results.
        """
        spoken = () if answer.calls else self.later[:1]
        following = replace(
            self,
            turns=(*self.turns, answer, *spoken),
            later=self.later[len(spoken) :],
            stream=not self.stream,
        )
        return (
            replace(following, known=len(self.turns), previous_id=answer_id) if self.is_stored else following
        )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


@cache
def _draw(kind: str, number: int) -> bytes:
    if kind == "heic":
        return b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + str(number).encode()
    if kind == "svg":
        return f'<svg xmlns="http://www.w3.org/2000/svg"><text>{number}</text></svg>'.encode()
    size = (2100, 4) if kind == "wide" else (3, 2)
    color = (number >> 16 & 255, number >> 8 & 255, number & 255)
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, {"gif": "GIF", "bmp": "BMP"}.get(kind, "PNG"))
    return buffer.getvalue()[:40] if kind == "cut off" else buffer.getvalue()


def _pdf(text: str) -> bytes:
    return b"%PDF-1.4\n%" + text.encode("ascii", "replace") + b"\ntrailer\n<< >>\n%%EOF\n"


_FILES: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "latin-1": lambda text: f"Übergröße für {text}, straße".encode("latin-1"),
    "pdf": _pdf,
    "docx": lambda text: b"PK\x03\x04\x14\x00\x00\x00word/document.xml\x00\xff" + text.encode(),
}
