"""Write `tests/standin/shapes.json`: the shape of a request to the Messages API, as Anthropic's SDK declares it.

The SDK's types are generated from the API's own description. Importing them takes seconds, so the stand-in reads this
file instead. Run it after every update of the package `anthropic`: python -m tests.support.sdk_shapes
"""

import collections.abc
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from anthropic.types.beta import BetaCacheControlEphemeralParam
from anthropic.types.beta.beta_tool_param import InputSchema
from anthropic.types.beta.message_create_params import MessageCreateParamsBase
from typing_extensions import Required, get_type_hints, is_typeddict

FILE = Path(__file__).resolve().parents[1] / "standin" / "shapes.json"

# The SDK sends these as headers.
HEADERS = ("betas", "user_profile_id", "workspace_id")
# The API accepts these, but the SDK does not declare them here.
UNDECLARED: dict[str, Any] = {
    "temperature": "number",
    "top_p": "number",
    "top_k": "int",
    "stream": "bool",
    "output_format": ["null", "=JSONOutputFormat"],
}
SCALARS = {str: "str", bool: "bool", int: "int", float: "number", object: "any"}

Spec = str | list[Any]


class Shapes:
    """Collects the types that a request is made of. Every type is described once, under its name."""

    def __init__(self) -> None:
        self.types: dict[str, dict[str, Any]] = {}

    def add(self, cls: Any) -> str:
        """Describe a type and all types inside it. Return its name."""
        name = str(cls.__name__).removeprefix("Beta").removesuffix("Param")
        if name not in self.types:
            self.types[name] = {}
            hints = {key: hint for key, hint in get_type_hints(cls).items() if key not in HEADERS}
            fields = {key: self.spec(hint) for key, hint in sorted(hints.items())}
            self.types[name] = {"required": sorted(_required(cls)), "fields": fields}
        return name

    def spec(self, hint: Any) -> Spec:
        """Return the description of a type that stands in a field."""
        if hint == InputSchema or get_origin(hint) is dict:
            return "object"
        if hint in SCALARS:
            return SCALARS[hint]
        if hint is BetaCacheControlEphemeralParam:  # the API reports it as a union of one kind
            return self._union([hint])
        if is_typeddict(hint):
            return f"={self.add(hint)}"
        if get_origin(hint) is Literal:
            return ["in", *sorted(get_args(hint))]
        if _is_list(hint):
            return ["list", self.spec(get_args(hint)[0])]
        return self._union(get_args(hint))

    def _union(self, hints: Iterable[Any]) -> Spec:
        members: list[Any] = [hint for hint in hints if _is_json(hint)]
        specs = [self.spec(member) for member in members if member is not type(None) and not _tags(member)]
        if "str" in specs:
            specs = [spec for spec in specs if spec[0] != "in"]
        if tagged := {tag: self.add(member) for member in members for tag in _tags(member)}:
            default = next((tag for member in members for tag in _tags(member) if _is_default(member)), None)
            specs.append(["one", tagged, default])
        spec = specs[0] if len(specs) == 1 else ["or", *specs]
        return ["null", spec] if type(None) in members else spec


def _required(cls: Any) -> frozenset[str]:
    hints: dict[str, Any] = get_type_hints(cls, include_extras=True)
    return frozenset(name for name, hint in hints.items() if get_origin(hint) is Required)


def _is_list(hint: Any) -> bool:
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, collections.abc.Iterable) and origin is not dict


def _is_json(hint: Any) -> bool:
    """Return whether a member of a union can be in JSON: the SDK also takes files and its own response objects."""
    is_known = hint in SCALARS or hint is type(None) or is_typeddict(hint)
    return is_known or get_origin(hint) in (Literal, dict) or _is_list(hint)


def _tags(hint: Any) -> tuple[str, ...]:
    """Return the values of `type` (or `role`, for messages) that name this type within a union."""
    if not is_typeddict(hint):
        return ()
    fields = get_type_hints(hint)
    literal = fields.get("type", fields.get("role"))
    options: list[Any] = [literal, *get_args(literal)]
    return next((get_args(option) for option in options if get_origin(option) is Literal), ())


def _is_default(hint: Any) -> bool:
    return "type" in get_type_hints(hint) and "type" not in _required(hint)


def text() -> str:
    """Return the content of the file: JSON with one type per line."""
    shapes = Shapes()
    root = shapes.add(MessageCreateParamsBase)
    shapes.types[root]["fields"].update(UNDECLARED)
    shapes.types["Request"] = shapes.types.pop(root)
    # The API reads any block in a system message, and rejects those that may not stand there with an error of its own.
    shapes.types["SystemMessage"]["fields"]["content"] = shapes.types["UserMessage"]["fields"]["content"]
    lines = (f"{json.dumps(name)}: {json.dumps(shapes.types[name])}" for name in sorted(shapes.types))
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"Wrote {FILE}.", file=sys.stderr)
