"""Declare a setting as a field of a dataclass, and read it from the environment.

For example, these fields are the settings `PORT` and `LOG_FILE`:

    port: int = setting(8000, "Port to listen on.", between(0, 65535))
    log_file: Path | None = setting(None, "File for the log.")
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, field
from pathlib import Path
from typing import Any, NamedTuple

from environs import Env, validate
from marshmallow import ValidationError, fields


class Accepted(NamedTuple):
    """The values that a setting accepts: in words for the documentation, and as a validator of environs."""

    words: str
    validator: Callable[[Any], Any]


def between(minimum: int, maximum: int) -> Accepted:
    """Accept numbers from `minimum` to `maximum`."""
    return Accepted(f"{minimum} to {maximum}", validate.Range(min=minimum, max=maximum))


def at_least(minimum: int) -> Accepted:
    """Accept numbers from `minimum` on."""
    return Accepted(f"{minimum} or more", validate.Range(min=minimum))


def one_of(*values: str) -> Accepted:
    """Accept one of several words."""
    return Accepted(", ".join(f"`{value}`" for value in values), validate.OneOf(values))


def list_of(names: Collection[str], words: str) -> Accepted:
    """Accept lists of these names. `words` are for the documentation."""
    return Accepted(words, lambda text: validate.ContainsOnly(names)(split_list(text)))


POSITIVE = Accepted("more than 0", validate.Range(min=0, min_inclusive=False))
PATTERNS = Accepted(
    "list of `PATTERN=MODEL`",
    validate.Regexp(r"[^=,]+=[^=,]+(,[^=,]+=[^=,]+)*$|$", error="Expected a list like gpt-*=haiku,o3*=opus."),
)
PERCENTS = Accepted(
    "list of percentages",
    validate.Regexp(r"([1-9]\d?|100)(,([1-9]\d?|100))*$|$", error="Expected percentages like 80,100."),
)
HTTP_URL = Accepted(
    "URL", validate.Regexp(r"https?://[^\s/]+\S*$|$", error="Expected an address like https://…")
)
SMTP_URL = Accepted(
    "URL",
    validate.Regexp(
        r"smtps?://([^\s@/]*@)?[^\s@/]+/?$", error="Expected smtp://HOST:PORT or smtps://HOST:PORT."
    ),
)
REDIS_URL = Accepted("URL of a Redis", validate.Regexp(r"((rediss?|redis\+unix)://.+)?$"))


def setting(
    default: object,
    description: str,
    accepted: Accepted | None = None,
    *,
    section: str = "",
    is_secret: bool = False,
    is_live: bool = False,
) -> Any:
    """Declare a setting.

    The comment in `.env.example` has as many sentences of `description` as fit on the line. Numbers must be 0 or more
    unless `accepted` says otherwise. `section` begins a new section there and in `docs/settings.md`. A secret is left
    out of `repr`. A live setting may be changed while the gateway runs, and `Services.apply` tells all parts that use
    it. Nothing that protects the gateway is live: an admin key must not open it further than its operator did.
    """
    if accepted is None and type(default) in (int, float):
        accepted = at_least(0)
    metadata = {"description": description, "accepted": accepted, "section": section, "is_live": is_live}
    return field(default=default, repr=not is_secret, metadata=metadata)


def format_value(value: object) -> str:
    """Return a value as a settings file has it. For example, `("a", "b")` becomes `a,b`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return ",".join(value) if isinstance(value, tuple) else str(value)


TYPE_WORDS: Mapping[Any, str] = {
    bool: "`true`, `false`",
    int: "integer",
    float: "number",
    Path: "path",
    Path | None: "path",
    str: "text",
    str | None: "text",
}


def describe_values(declared: Field[Any]) -> str:
    """Return the values that a setting accepts, in words: for example, `integer: 1 or more`."""
    kind, accepted = declared.type, declared.metadata["accepted"]
    words = TYPE_WORDS.get(kind, "list")
    if accepted is None:
        return words
    return f"{words}: {accepted.words}" if kind in (int, float) else str(accepted.words)


def split_list(text: str) -> tuple[str, ...]:
    """Split `a,b` into its items. The form `["a","b"]`, which other gateways use, means the same."""
    items = (part.strip(" \t[]\"'") for part in text.split(","))
    return tuple(item for item in items if item)


# Types that environs does not know: they are read as text, and then converted.
_FROM_TEXT: Mapping[Any, Callable[[str], object]] = {
    str | None: lambda text: text or None,
    Path | None: lambda text: Path(text) if text else None,
    tuple[str, ...]: split_list,
}


_FIELDS: Mapping[Any, type[fields.Field[Any]]] = {
    bool: fields.Boolean,
    int: fields.Integer,
    float: fields.Float,
}


def parse_setting(declared: Field[Any], text: str) -> Any:
    """Return the value that a text stands for in a settings file. Raise ValueError with the reason if it is invalid."""
    kind, accepted = declared.type, declared.metadata["accepted"]
    try:
        value = _FIELDS.get(kind, fields.String)(
            validate=accepted.validator if accepted else None
        ).deserialize(text)
    except ValidationError as error:
        raise ValueError(" ".join(map(str, error.messages))) from error
    return _FROM_TEXT[kind](value) if kind in _FROM_TEXT else value


def read_setting(env: Env, declared: Field[Any]) -> Any:
    """Return the value of a setting. `env` collects the errors; the value is not valid if there are any."""
    kind: Any = declared.type
    name, accepted = declared.name.upper(), declared.metadata["accepted"]
    validator = accepted.validator if accepted else None
    if kind not in _FROM_TEXT:
        return getattr(env, kind.__name__.lower())(name, declared.default, validate=validator)
    text: str | None = env.str(name, format_value(declared.default), validate=validator)
    return None if text is None else _FROM_TEXT[kind](text)  # None: invalid, as `seal` will report
