"""The shape of a request: the fields, types and tags of the Messages API.

Source: the types of Anthropic's SDK, which are generated from the API's own description. `shapes.json` holds them (see
`tests/support/sdk_shapes.py`); this module compiles them into checks. The API reports errors of shape in the words
of pydantic, so the checks do the same:

>>> shape_problem({"model": "claude-opus-4-8", "max_tokens": 9, "messages": [{"role": "user", "content": 7}]})
'messages.0.content: Input should be a valid array'
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

# A check returns None, or the path below the checked value and the error.
Problem = tuple[str, str]
Check = Callable[[Any], Problem | None]

_OBJECT = "Input should be an object"
_SCALARS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "Input should be a valid string"),
    "bool": ((bool,), "Input should be a valid boolean"),
    "int": ((int,), "Input should be a valid integer"),
    "number": ((int, float), "Input should be a valid number"),
    "object": ((dict,), _OBJECT),
}


def shape_problem(body: dict[str, Any]) -> str | None:
    """Return the first error of a body's shape: a missing field, a wrong type or tag, or an unknown field."""
    found = _type("Request")(body)
    return f"{found[0][1:]}: {found[1]}" if found else None


@cache
def _shapes() -> dict[str, Any]:
    shapes: dict[str, Any] = json.loads(Path(__file__).with_name("shapes.json").read_text())
    return shapes


@cache
def _type(name: str) -> Check:
    shape = _shapes()[name]
    checks: dict[str, Check] = {}
    required = frozenset(shape["required"])

    def check(value: Any) -> Problem | None:
        if type(value) is not dict:
            return "", _OBJECT
        if not required <= value.keys():
            return f".{min(required - value.keys())}", "Field required"
        unknown = None
        for field, inner in value.items():
            if (inner_check := checks.get(field)) is None:
                unknown = unknown or field
            elif found := inner_check(inner):
                return f".{field}{found[0]}", found[1]
        return None if unknown is None else (f".{unknown}", "Extra inputs are not permitted")

    # Filled after the function is known, because types contain themselves.
    checks.update((field, _lazy(spec)) for field, spec in shape["fields"].items())
    return check


def _lazy(spec: Any) -> Check:
    """Return the check of a field. A type inside it is compiled when a request first contains one."""
    if isinstance(spec, str):
        return _object(spec[1:]) if spec[0] == "=" else _scalar(spec)
    kind, *arguments = spec
    return _COMPILERS[kind](*arguments)


def _object(name: str) -> Check:
    return lambda value: _type(name)(value)


def _scalar(name: str) -> Check:
    if name == "any":
        return lambda _value: None
    allowed, message = _SCALARS[name]
    problem = ("", message)
    return lambda value: None if type(value) in allowed else problem


def _nullable(spec: Any) -> Check:
    inner = _lazy(spec)
    return lambda value: None if value is None else inner(value)


def _literal(*options: str) -> Check:
    problem = ("", f"Input should be {_join(options)}")
    return lambda value: None if type(value) is str and value in options else problem


def _array(spec: Any) -> Check:
    item_check = _lazy(spec)

    def check(value: Any) -> Problem | None:
        if type(value) is not list:
            return "", "Input should be a valid array"
        for index, item in enumerate(value):
            if found := item_check(item):
                return f".{index}{found[0]}", found[1]
        return None

    return check


def _either(*specs: Any) -> Check:
    """Return a check that one of several accepts. It reports the deepest error, or else the last one."""
    checks = [_lazy(spec) for spec in specs]

    def check(value: Any) -> Problem | None:
        problem: Problem = ("", "")
        for inner in checks:
            found = inner(value)
            if found is None:
                return None
            problem = problem if problem[0] else found
        return problem

    return check


def _tagged(types: Mapping[str, str], default: str | None) -> Check:
    tag_field = "role" if "assistant" in types else "type"
    compiled: dict[str, Check] = {}
    unknown = f"does not match any of the expected tags: {', '.join(map(repr, types))}"

    def check(value: Any) -> Problem | None:
        if type(value) is not dict:
            return "", _OBJECT
        tag = value.get(tag_field, default)
        tag = default if tag is None else tag
        if tag is None:
            return f".{tag_field}", "Field required"
        if type(tag) is not str or tag not in types:
            return "", f"Input tag '{tag}' found using '{tag_field}' {unknown}"
        if tag not in compiled:
            compiled[tag] = _type(types[tag])
        found = compiled[tag](value)
        if found is None or tag_field == "role":
            return found
        return f".{tag}{found[0]}", found[1]

    return check


def _join(options: tuple[str, ...]) -> str:
    *others, last = map(repr, options)
    return f"{', '.join(others)} or {last}" if others else last


_COMPILERS: dict[str, Callable[..., Check]] = {
    "null": _nullable,
    "in": _literal,
    "list": _array,
    "or": _either,
    "one": _tagged,
}
