"""Keys as clients have them. Knows of no database."""

from __future__ import annotations

import hashlib
import secrets
import string

PREFIX = "ccg-"
LENGTH = 43  # random characters: more than 256 bits
SHOWN_LENGTH = 4
_ALPHABET = string.ascii_letters + string.digits


def generate_key(prefix: str = PREFIX, length: int = LENGTH) -> str:
    """A fresh key: the prefix and `length` random letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def digest_key(key: str) -> str:
    """What is kept of a key: its SHA-256. It is random and long, so it needs no salt and no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def shorten_key(key: str) -> str:
    """The beginning of a generated key, for lists."""
    return key[: len(PREFIX) + SHOWN_LENGTH]
