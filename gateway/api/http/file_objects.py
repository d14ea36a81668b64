"""Write stored files in the shapes of OpenAI's and Anthropic's APIs.

https://platform.openai.com/docs/api-reference/files/object
https://platform.claude.com/docs/en/api/files-metadata
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.store.files import FilePage, StoredFile

Body = dict[str, Any]

PAGE_PREFIX = "page_"


def openai_file(file: StoredFile) -> Body:
    """Return a file as OpenAI's API has it. It is never being processed: nothing is computed from it in advance."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at.timestamp()),
        "expires_at": int(file.expires_at.timestamp()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def anthropic_file(file: StoredFile) -> Body:
    """Return a file as Anthropic's API has it."""
    return {
        "type": "file",
        "id": file.id,
        "filename": file.filename,
        "mime_type": file.content_type.partition(";")[0],
        "size_bytes": file.size,
        "created_at": _write_moment(file.created_at),
        "expires_at": _write_moment(file.expires_at),
        "downloadable": True,
    }


def openai_page(page: FilePage) -> Body:
    """Return a page of files for OpenAI's clients."""
    return {"object": "list", **_page(page, openai_file)}


def anthropic_page(page: FilePage) -> Body:
    """Return a page of files for Anthropic's clients. Earlier SDKs use the ids at its ends, later ones `next_page`."""
    listed = _page(page, anthropic_file)
    return {**listed, "next_page": f"{PAGE_PREFIX}{listed['last_id']}" if page.has_more else None}


def _page(page: FilePage, write: Callable[[StoredFile], Body]) -> Body:
    entries = [write(file) for file in page.files]
    return {
        "data": entries,
        "has_more": page.has_more,
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
    }


def _write_moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
