"""Failures of the delivery of an alert, in words without any secret of its channel."""

import os
import socket
import ssl
from urllib.error import URLError


class DeliveryFailed(Exception):
    """A channel did not take a notice. `is_final` says that another attempt cannot help."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


def describe_failure(error: BaseException) -> str:
    """Describe an error of the network. Its own text may contain an address.

    >>> describe_failure(TimeoutError())
    'timed out'
    """
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, socket.gaierror):
        return "the name of the host is unknown"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return type(error).__name__
