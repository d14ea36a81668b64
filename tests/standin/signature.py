"""Signatures of thinking blocks: only those made here are accepted back, as the API accepts only its own."""

from __future__ import annotations

import base64
import hashlib

_MARK = "StandIn"


def sign(thinking: str) -> str:
    """A signature for a thinking block of that text."""
    return _MARK + base64.b64encode(hashlib.sha256(thinking.encode()).digest()).decode()


def is_signed(signature: str) -> bool:
    """The signature was made here. Its text is not compared: the API hides it from some clients."""
    return signature.startswith(_MARK)
