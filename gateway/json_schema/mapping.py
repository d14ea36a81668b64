"""The result of adapting a schema, which maps values between the client's form and the model's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: A JSON schema that is an object.
Schema = dict[str, Any]

#: The property that holds the value if the model's schema wraps the client's.
WRAPPER = "value"


@dataclass(frozen=True, slots=True)
class ValueMapping:
    """The differences between values in the client's form and in the model's.

    `aliases` maps the client's names of properties to the model's. With `is_wrapped`, the model's value is an object
    whose only property holds the client's value.
    """

    aliases: Mapping[str, str]
    is_wrapped: bool = False

    def to_model(self, value: Any) -> Any:
        """Return a value that the client sent as the model would have written it."""
        renamed = rename_keys(value, self.aliases)
        return {WRAPPER: renamed} if self.is_wrapped else renamed

    def to_client(self, value: Any) -> Any:
        """Return a value of the model's as the client expects it. A value without the expected wrapper is kept."""
        if self.is_wrapped and isinstance(value, dict) and list(value) == [WRAPPER]:
            value = value[WRAPPER]
        return rename_keys(value, {alias: name for name, alias in self.aliases.items()})


@dataclass(frozen=True, slots=True)
class AdaptedSchema:
    """A schema that the API accepts. Treat it as read-only, because equal requests share it.

    `is_repaired` says that it differs from the client's. `mapping` is None if values are the same in both forms.
    """

    schema: Schema
    is_repaired: bool = False
    mapping: ValueMapping | None = None

    def to_model(self, value: Any) -> Any:
        """Return a value that the client sent as the model would have written it."""
        return value if self.mapping is None else self.mapping.to_model(value)

    def to_client(self, value: Any) -> Any:
        """Return a value of the model's as the client expects it."""
        return value if self.mapping is None else self.mapping.to_client(value)


def rename_keys(value: Any, names: Mapping[str, str]) -> Any:
    """Return the value with the keys of all its objects renamed by `names`, at any depth."""
    if not names:
        return value
    top: list[Any] = [value]
    unfinished: list[tuple[Any, Any]] = [(top, 0)]
    while unfinished:  # not recursive, because a client's value may be nested deeper than Python's stack
        holder, key = unfinished.pop()
        current = holder[key]
        if isinstance(current, dict):
            holder[key] = copy = {names.get(name, name): inner for name, inner in current.items()}
            unfinished.extend((copy, name) for name in copy)
        elif isinstance(current, list):
            holder[key] = items = current.copy()
            unfinished.extend((items, index) for index in range(len(items)))
    return top[0]
