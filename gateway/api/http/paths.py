"""Repair the paths of clients whose base URL is wrong, before anything else reads them.

Users paste a base URL with a slash too many, without `/v1`, with `/v1` twice, or the full URL of an endpoint. All of
these name one endpoint of the API:

>>> canonical_path("/v1//chat/completions", {"/v1/chat/completions"})
'/v1/chat/completions'
>>> canonical_path("/v1/chat/completions/models", {"/v1/models"})
'/v1/models'

Paths outside of the API stay as they are, so nothing else is opened: keys and limits apply to the repaired path.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from flask import Flask

ROOT = "/v1/"
#: Parts that base URLs have before the endpoint, such as `/openai/v1` or `/v1/v1`.
PREFIXES = frozenset({"v1", "api", "openai", "anthropic"})
#: Endpoints whose full URL is used as a base URL.
BASES = (("chat", "completions"), ("completions",), ("responses",), ("messages",))
#: The names of a project's files are the client's own, so the paths below are left alone.
PROJECTS = "/v1/projects"
#: White space that is pasted along with a URL. Other characters may be parts of a UTF-8 sequence.
SPACE = " \t\r\n"

WsgiApp = Callable[..., Iterable[bytes]]


def repair_paths(app: Flask) -> None:
    """Let the app see only repaired paths. All its blueprints must be registered."""
    rules = app.url_map.iter_rules()
    known = frozenset(rule.rule for rule in rules if rule.rule.startswith(ROOT) and not rule.arguments)
    inner: WsgiApp = app.wsgi_app

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in known:
            environ["PATH_INFO"] = canonical_path(path, known)
        return inner(environ, start_response)

    app.wsgi_app = serve  # type: ignore[method-assign]
    app.url_map.merge_slashes = False  # werkzeug would redirect with a page of HTML


def canonical_path(path: str, known: Collection[str]) -> str:
    """Return the path of the API that `path` stands for; any other path unchanged.

    `known` are the paths of the API that have no variables.
    """
    parts = _drop_base([part for part in (part.strip(SPACE) for part in path.split("/")) if part])
    given = ROOT + "/".join(parts)
    if given.lower() in known:
        return given.lower()
    above = (one for one in known if given.lower().startswith(f"{one}/") and one != PROJECTS)
    parent = max(above, key=len, default="")
    return parent + given[len(parent) :] if parent else path


def _drop_base(parts: Sequence[str]) -> Sequence[str]:
    """Drop the prefixes, and each endpoint that another one follows."""
    while True:
        parts = _drop_prefixes(parts)
        rest = next((parts[len(base) :] for base in BASES if _starts_with(parts, base)), ())
        rest = _drop_prefixes(rest)
        if not any(_starts_with(rest, one) for one in (*BASES, ("models",))):
            return parts
        parts = rest


def _drop_prefixes(parts: Sequence[str]) -> Sequence[str]:
    first = next((index for index, part in enumerate(parts) if part.lower() not in PREFIXES), len(parts))
    return parts[first:]


def _starts_with(parts: Sequence[str], base: Sequence[str]) -> bool:
    return tuple(part.lower() for part in parts[: len(base)]) == tuple(base)
