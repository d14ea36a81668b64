"""Read the lines of the CLI, and name those that a turn cannot go on with.

A line that is not JSON is skipped: programs that the CLI starts write such lines. A message without what its type
promises ends the turn with 502, because a part of the answer would be missing.
"""

import logging
import traceback
from json import JSONDecodeError

from gateway.claude.cli.protocol import CliMessage
from gateway.errors import UpstreamError
from gateway.lenient_json import loads

log = logging.getLogger(__name__)

#: Errors of code that reads a message without one of its fields, or with one of another type.
UNEXPECTED = (KeyError, TypeError, AttributeError, ValueError, IndexError)


def parse_line(line: bytes) -> CliMessage | None:
    """Return the message of a line, which may have half of a surrogate pair in it; None if it has no message."""
    if not line.startswith(b"{"):
        return None
    try:
        message: CliMessage = loads(line)
    except JSONDecodeError:
        log.warning("skipped a line of the CLI that is not JSON (%d bytes)", len(line))
        return None
    if not isinstance(message.get("type"), str) or _is_broken_response(message):
        log.warning("skipped a line of the CLI that is not a message (%d bytes)", len(line))
        return None
    return message


def explain_unexpected(message: CliMessage, error: Exception) -> UpstreamError:
    """Log a message that could not be read, without its content, and return the error of the turn."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error(
        "a message of the CLI of type %.40r could not be read: %s in %s, line %s",
        message["type"],
        type(error).__name__,
        place.name,
        place.lineno,
    )
    return UpstreamError("The Claude Code CLI sent a message that the gateway does not understand.")


def _is_broken_response(message: CliMessage) -> bool:
    """Return True for a response to no request. The request times out."""
    if message["type"] != "control_response":
        return False
    response: object = message.get("response")
    return not isinstance(response, dict) or "request_id" not in response
