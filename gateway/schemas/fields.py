"""Fields that accept only JSON's own types, and describe a mistake in words that a client's developer understands.

marshmallow's own fields convert values: "yes" is a true Boolean, "0.5" a Float. A gateway that guesses hides the
mistakes of its clients, so these fields reject such values.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar

from marshmallow import INCLUDE, Schema, ValidationError, fields, missing, pre_load, validate

from gateway.lenient_json import as_number
from gateway.schemas.answers import about

#: The OpenAPI description of `model`.
MODEL = about("A model's id or alias. If it is missing, the configured default is used.")

#: The OpenAPI descriptions of parameters that several APIs have.
TOP_K = about("Used if the model accepts it.")
TIER = about("`priority` or `fast` asks for fast mode, at a higher price, on models that have it.")
CACHE_RETENTION = about(
    "`24h` caches the prompt for an hour, if the operator allows it (`LONG_PROMPT_CACHE`)."
)
CACHE_OPTIONS = about(
    "A `ttl` caches the prompt for an hour, if the operator allows it. "
    "The `mode` explicit without marks turns caching off."
)


def at_least(low: int) -> validate.Range:
    """Return a validator for numbers from `low` on."""
    return validate.Range(min=low, error=f"Expected a number of {low} or more.")


def between(low: int, high: int) -> validate.Range:
    """Return a validator for numbers from `low` to `high`, both included."""
    return validate.Range(min=low, max=high, error=f"Expected a number from {low} to {high}.")


def allowed(*choices: str) -> validate.OneOf:
    """Return a validator for strings that are one of `choices`."""
    return validate.OneOf(choices, error="Expected one of: {choices}.")


def ignored() -> fields.Raw:
    """Return a field that has no effect."""
    return fields.Raw(metadata=about("Accepted without effect; named in `x-ignored-parameters`."))


class Unchecked(fields.Raw):
    """A field that the dialect checks, or that has no effect. Its metadata describe the value that it accepts."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return a value unchanged, without the overhead of marshmallow."""
        is_absent = value is None or value is missing
        return super().deserialize(value, attr, data, **kwargs) if is_absent else value


def refused(advice: str = "") -> fields.Field[Any]:
    """Return a field that the dialect rejects. The schema accepts any value, so that the dialect can say why."""
    return fields.Raw(metadata=about(f"Not supported. {advice}".strip()))


class _FallBack(Exception):
    """Raised by the fast path to leave the body to marshmallow."""


class LenientSchema(Schema):
    """An object in which null counts as absent. Unknown fields are kept, so that dialects can report them as ignored.

    Valid data takes a fast path that skips marshmallow, which needs 20 µs per message and 100 µs per body. The fast
    path ignores hooks, defaults and renamed fields, so marshmallow loads any schema that has them. A schema with hooks
    can have the fast path if it overrides `_load_fast` to do the work of its hooks, and names them in `fast_hooks`.
    """

    class Meta:
        unknown = INCLUDE

    error_messages = {"type": "Expected an object."}

    #: Names of the hooks whose work the fast path does.
    fast_hooks: ClassVar[frozenset[str]] = frozenset({"drop_nulls"})

    def load(self, data: Any, *, many: bool | None = None, partial: Any = None, unknown: Any = None) -> Any:
        """Return the loaded data as marshmallow does. Raises ValidationError, which marshmallow always composes."""
        if self.has_fast_path:
            try:
                return self._load_fast(data)
            except (ValidationError, _FallBack):
                return super().load(data, many=many, partial=partial, unknown=unknown)
        return super().load(data, many=many, partial=partial, unknown=unknown)

    @cached_property
    def has_fast_path(self) -> bool:
        """Return True if the fast path does all that marshmallow would do with valid data."""
        hooks = {hook for tagged in self._hooks.values() for hook, *_ in tagged}
        plain = all(
            field.load_default is missing and field.data_key is None and field.attribute is None
            for field in self.load_fields.values()
        )
        return plain and hooks <= self.fast_hooks

    def _load_fast(self, data: Any) -> dict[str, Any]:
        """Return the loaded data. Raises ValidationError or _FallBack if marshmallow must decide."""
        known = self.load_fields
        if not (isinstance(data, dict) and self._required <= data.keys()):
            raise _FallBack
        return {
            name: known[name].deserialize(value, name, data) if name in known else value
            for name, value in data.items()
            if (value is not None or name in self._required) and (name in known or self.unknown == INCLUDE)
        }

    @cached_property
    def _required(self) -> frozenset[str]:
        return frozenset(name for name, field in self.load_fields.items() if field.required)

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Describe optional fields as nullable. The nulls themselves are dropped before validation."""
        field_obj.allow_none = field_obj.allow_none or not field_obj.required

    @pre_load
    def drop_nulls(self, data: Any, **kwargs: Any) -> Any:
        """Drop nulls: OpenAI's SDKs, and many clients, send null for fields that they do not set."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}


class Text(fields.String):
    """A string."""

    default_error_messages = {"invalid": "Expected a string."}

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return a string unchanged, without the overhead of marshmallow."""
        if not isinstance(value, str):
            return super().deserialize(value, attr, data, **kwargs)
        if self.validators:
            self._validate(value)
        return value


class Flag(fields.Boolean):
    """true or false; "yes", 1 and the like are rejected."""

    default_error_messages = {"invalid": "Expected true or false."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Decimal(fields.Float):
    """A finite number. Numeric strings and booleans are rejected."""

    default_error_messages = {
        "invalid": "Expected a number.",
        "special": "Expected a finite number.",
        "too_large": "Expected a smaller number.",
    }

    def _validated(self, value: Any) -> float:
        if not isinstance(value, (int, float)):
            raise self.make_error("invalid")
        return super()._validated(value)


class Count(fields.Integer):
    """An integer. Numeric strings, booleans and 1.0 are rejected."""

    default_error_messages = {"invalid": "Expected an integer."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)


MAX_INT = 2**63


class LooseNumber(fields.Field[Any]):
    """A finite number of any size, or text with one. The dialect adjusts it to the nearest value that is allowed."""

    default_error_messages = {"invalid": "Expected a number."}

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"type": ["number", "string"], **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return a number unchanged, without the overhead of marshmallow."""
        return (
            value
            if type(value) is int and abs(value) < MAX_INT
            else super().deserialize(value, attr, data, **kwargs)
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if as_number(value) is None:
            raise self.make_error("invalid")
        return value


class Object(fields.Dict):
    """A JSON object with any content."""

    default_error_messages = {"invalid": "Expected an object."}


class ListOf(fields.List[Any]):
    """A JSON array. A single object or string is rejected, although Python could iterate over it."""

    default_error_messages = {"invalid": "Expected a list."}

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return the items; if one is wrong, marshmallow composes the error that names it."""
        if isinstance(value, list):
            with suppress(ValidationError):
                items = [self.inner.deserialize(item) for item in value]
                if self.validators:
                    self._validate(items)
                return items
        return super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class ObjectOf(fields.Nested):
    """An object with a schema of its own."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Load an object directly, without the overhead of marshmallow."""
        if isinstance(value, dict) and not self.validators:
            return self.schema.load(value)
        return super().deserialize(value, attr, data, **kwargs)


class StopSequences(fields.Field[Any]):
    """A string, or a list of strings."""

    LIMIT = 8191  # of the Messages API
    default_error_messages = {
        "invalid": "Expected a string or a list of strings.",
        "too_many": "At most 8,191 stop sequences are allowed.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | list[str]:
        if isinstance(value, str):
            return value
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if len(value) > self.LIMIT:
            raise self.make_error("too_many")
        _check_each(value, str, "Expected a string.")
        return value


#: The OpenAPI description of `stop`.
STOP = {"type": ["string", "array"], "items": {"type": "string"}, "maxItems": StopSequences.LIMIT}


class Content(fields.Field[Any]):
    """A message's content: a string or a list of content parts. The dialect checks the parts."""

    default_error_messages = {"invalid": "Expected a string, a list of content parts, or null."}

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return a string unchanged, without the overhead of marshmallow."""
        return value if isinstance(value, str) else super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        _check_each(value, dict, "Expected a content part, an object with a `type`.")
        return value


def _check_each(items: list[Any], kind: type, problem: str) -> None:
    """Raise a ValidationError that names the wrong items by their index."""
    wrong = {index: [problem] for index, item in enumerate(items) if not isinstance(item, kind)}
    if wrong:
        raise ValidationError(wrong)
