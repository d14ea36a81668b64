"""Decide if the list of requests keeps the bodies of a caller's requests and answers. By default, it keeps none."""

from gateway.answering.caller import Caller
from gateway.settings import Settings


def keeps_bodies(caller: Caller | None, settings: Settings) -> bool:
    """Return True if REQUEST_BODIES is set, or the caller's key asks for it, and there is a list of requests."""
    if caller is None or not settings.request_log_days:
        return False
    return settings.request_bodies or (caller.identity is not None and caller.identity.keeps_bodies)


def collects_texts(caller: Caller | None, settings: Settings) -> bool:
    """Return True if the texts of a request and its answer are needed after it, for the list or the log."""
    return settings.log_content or keeps_bodies(caller, settings)
