"""Signatures of thinking blocks. The stand-in accepts only its own signatures, as the API does."""

import base64
import hashlib

_MARK = "StandIn"


def sign(thinking: str) -> str:
    """Return a signature for a thinking block with this text."""
    return _MARK + base64.b64encode(hashlib.sha256(thinking.encode()).digest()).decode()


def is_signed(signature: str, thinking: str) -> bool:
    """Return whether the signature was made here for this text, or for a text that the client did not get to see."""
    return signature == sign(thinking) if thinking else signature.startswith(_MARK)


def is_altered(signature: str, thinking: str) -> bool:
    """Return whether the signature was made here, but for another text."""
    return signature.startswith(_MARK) and not is_signed(signature, thinking)
