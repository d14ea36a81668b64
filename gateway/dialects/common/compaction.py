"""The summary of a compacted conversation, in the opaque form in which clients of the Responses API keep it.

OpenAI encrypts the summary. Here it is only encoded: it holds nothing but the client's own conversation.

>>> read_summary(write_summary("The user likes cats."))
'The user likes cats.'
"""

import base64
import binascii
from typing import Any

#: Marks a summary of this gateway. Other servers' summaries cannot be read.
PREFIX = "gateway-summary-1:"


def write_summary(text: str) -> str:
    """Return the summary as the `encrypted_content` of a `compaction` item."""
    return PREFIX + base64.b64encode(text.encode("utf-8", "replace")).decode()


def read_summary(content: Any) -> str | None:
    """Return the summary in the `encrypted_content` of an item; None if another server has written it."""
    if not isinstance(content, str) or not content.startswith(PREFIX):
        return None
    try:
        return base64.b64decode(content.removeprefix(PREFIX), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
