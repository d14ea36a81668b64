"""Signatures of thinking blocks. The stand-in accepts only its own signatures, as the API does."""

from __future__ import annotations

import base64
import hashlib

_MARK = "StandIn"


def sign(thinking: str) -> str:
    """Return a signature for a thinking block with this text."""
    return _MARK + base64.b64encode(hashlib.sha256(thinking.encode()).digest()).decode()


def is_signed(signature: str) -> bool:
    """Return whether the signature was made here. The text is not compared: the API hides it from some clients."""
    return signature.startswith(_MARK)
