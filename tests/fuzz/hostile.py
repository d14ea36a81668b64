"""Hostile bodies: changed examples of each endpoint, as bytes that may not even be JSON.

For example, a body of a chat completion may become:

    {"model": "haiku", "messages": {"messages": [[[[…]]]]}, "n": 1e999}
"""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NUMBERS = (0, -1, 1, 2**31, 2**63, 10**400, -(10**5000), 0.5, 1e308, float("nan"), float("inf"), True, False)
TEXTS = (
    *(
        "",
        "x",
        "\0",
        "\ud800",
        "é",
        "\u202e",
        "🙂" * 50,
        "../../etc/passwd",
        "'; drop table x; --",
        "{{7*7}}",
    ),
    "x" * 70_000,
)
WORDS = (
    *(
        "role",
        "content",
        "type",
        "text",
        "tool_calls",
        "function",
        "name",
        "$ref",
        "id",
        "image_url",
        "input",
    ),
    "__proto__",
)
CHANGES = (1, 1, 1, 2, 4)
BYTE_SHARE = 0.15  # of the bodies are changed as bytes
MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Case:
    """A request to send. `number` counts within the seed."""

    number: int
    method: str
    path: str
    body: bytes


class Hostile:
    """Makes hostile bodies. The same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def cases(self, examples: list[tuple[str, str, Any]], count: int) -> Iterator[Case]:
        """Yield requests that begin as one of the examples: method, path and body."""
        for number in range(count):
            method, path, example = self._random.choice(examples)
            yield Case(number, method, self._fill(path), self._encode(self._change(copy.deepcopy(example))))

    def _fill(self, path: str) -> str:
        """Replace the parameters of a path."""
        before, brace, rest = path.partition("{")
        if not brace:
            return path
        value = self._random.choice(("x", "resp_0", "..%2f..", "%00", "a" * 300, "%F0%9F%99%82", "-1"))
        return before + value + self._fill(rest.partition("}")[2])

    def _change(self, body: Any) -> Any:
        for _ in range(self._random.choice(CHANGES)):
            body = self._change_once(body)
        return body

    def _change_once(self, value: Any) -> Any:
        """Change the value, or some value in it."""
        choose = self._random.random
        if isinstance(value, dict) and value and choose() < 0.85:
            key = self._random.choice(list(value))
            if choose() < 0.15:
                del value[key]
            elif choose() < 0.1:
                value[self._random.choice(WORDS)] = self._junk()
            else:
                value[key] = self._change_once(value[key])
            return value
        if isinstance(value, list) and value and choose() < 0.8:
            index = self._random.randrange(len(value))
            if choose() < 0.15:
                return value * self._random.choice((2, 3, 50))
            value[index] = self._change_once(value[index])
            return value
        return self._junk()

    def _junk(self, depth: int = 0) -> Any:
        kind = self._random.randrange(8)
        if kind == 0:
            return None
        if kind == 1:
            return self._nest()
        if kind in (2, 3) and depth < 3:
            return [self._junk(depth + 1) for _ in range(self._random.randrange(4))]
        if kind in (4, 5) and depth < 3:
            return {
                self._random.choice((*WORDS, *TEXTS[:6])): self._junk(depth + 1)
                for _ in range(self._random.randrange(4))
            }
        return self._random.choice(NUMBERS if kind == 6 else TEXTS)

    def _nest(self) -> Any:
        value: Any = self._random.choice(TEXTS[:4])
        for _ in range(self._random.randrange(MAX_DEPTH)):
            value = [value] if self._random.random() < 0.5 else {self._random.choice(WORDS): value}
        return value

    def _encode(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=self._random.random() < 0.5)
        body = bytearray(text.encode("utf-8", "surrogatepass"))
        if self._random.random() < BYTE_SHARE:
            for _ in range(self._random.randrange(1, 4)):
                place = self._random.randrange(len(body) + 1)
                piece = self._random.choice(
                    (b"", b"\xff", b"\0", b'"', b"}", b"[" * 2000, b"1e999999", b"\\ud83d")
                )
                body[place : place + self._random.randrange(3)] = piece
        return bytes(body)
