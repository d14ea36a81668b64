"""The keys that clients send: how they are made and digested. Nothing here needs a database.

>>> shorten_key("ccg-x7Qp0123456789")
'ccg-x7Qp'
"""

import hashlib
import secrets
import string

PREFIX = "ccg-"
LENGTH = 43  # random characters: more than 256 bits
SHOWN_LENGTH = 4
_ALPHABET = string.ascii_letters + string.digits


def generate_key(prefix: str = PREFIX, length: int = LENGTH) -> str:
    """Return a new random key: the prefix, then `length` letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def digest_key(key: str) -> str:
    """Return the SHA-256 of a key, which is stored. A key is random and long, so it needs no salt and no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def shorten_key(key: str) -> str:
    """Return the beginning of a key, by which people recognize it in lists."""
    return key[: len(PREFIX) + SHOWN_LENGTH]
