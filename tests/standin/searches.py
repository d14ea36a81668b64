"""Scripted searches: the blocks with which the API reports its own tools, for `replies.blocks`.

A search is a call, its results and texts that cite them:

    page = Page("https://example.com/a", "A")
    blocks(text_block("I will search."), search("cats"), found(page), cited("Cats purr.", page))

The API encrypts the results and rejects content that it has not written. The stand-in does so too (`is_sealed`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .replies import Block, split, text_block

SEARCH_ID = "srvtoolu_1"
WEB_SEARCH, WEB_FETCH = "web_search", "web_fetch"


@dataclass(frozen=True)
class Page:
    """A page that a search finds."""

    url: str
    title: str
    age: str | None = None

    def result(self) -> dict[str, Any]:
        """Return the page as one result of a search."""
        return {
            "type": "web_search_result",
            "url": self.url,
            "title": self.title,
            "encrypted_content": seal(self.url, self.title),
            "page_age": self.age,
        }

    def citation(self, text: str) -> dict[str, Any]:
        """Return a citation of the page."""
        return {
            "type": "web_search_result_location",
            "url": self.url,
            "title": self.title,
            "encrypted_index": seal(self.url, text),
            "cited_text": text,
        }


def seal(*parts: str) -> str:
    """Return the encrypted content that belongs to these texts."""
    return "Eo8" + hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_sealed(sealed: str, *parts: str) -> bool:
    """Return whether the stand-in wrote this encrypted content for these texts."""
    return sealed == seal(*parts)


def search(query: str, id: str = SEARCH_ID, fragments: int = 3) -> Block:
    """Return the model's call of the web search."""
    return server_call(WEB_SEARCH, {"query": query}, id, fragments)


def fetch(url: str, id: str = SEARCH_ID, fragments: int = 3) -> Block:
    """Return the model's call of the web fetch."""
    return server_call(WEB_FETCH, {"url": url}, id, fragments)


def server_call(name: str, input: Mapping[str, Any], id: str, fragments: int = 3) -> Block:
    """Return a call of a tool that runs at the API."""
    return Block("server_tool_use", split(json.dumps(dict(input)), fragments), name, id)


def found(*pages: Page, id: str = SEARCH_ID) -> Block:
    """Return the results of a search."""
    return _result(WEB_SEARCH, [page.result() for page in pages], id)


def search_failed(code: str = "max_uses_exceeded", id: str = SEARCH_ID) -> Block:
    """Return the error of a search."""
    return _result(WEB_SEARCH, {"type": "web_search_tool_result_error", "error_code": code}, id)


def fetched(url: str, text: str, id: str = SEARCH_ID) -> Block:
    """Return a page that was fetched."""
    source = {"type": "text", "media_type": "text/plain", "data": text}
    document = {"type": "document", "source": source, "title": None}
    content = {
        "type": "web_fetch_result",
        "url": url,
        "content": document,
        "retrieved_at": "2026-01-01T00:00:00Z",
    }
    return _result(WEB_FETCH, content, id)


def fetch_failed(code: str = "url_not_accessible", id: str = SEARCH_ID) -> Block:
    """Return the error of a fetch."""
    return _result(WEB_FETCH, {"type": "web_fetch_tool_result_error", "error_code": code}, id)


def cited(text: str, *pages: Page) -> Block:
    """Return a text that cites pages."""
    block = text_block(text)
    return Block("text", block.deltas, citations=tuple(page.citation(text) for page in pages))


def searches(count: int, fetches: int = 0) -> dict[str, Any]:
    """Return the `usage` of a reply with this many searches."""
    return {"server_tool_use": {"web_search_requests": count, "web_fetch_requests": fetches}}


def _result(tool: str, content: Any, id: str) -> Block:
    return Block("whole", whole={"type": f"{tool}_tool_result", "tool_use_id": id, "content": content})
