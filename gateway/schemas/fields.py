"""Fields that take JSON's own types only, and say so in words a client's developer understands.

marshmallow's own fields convert ("yes" is a true Boolean, "0.5" a Float). A gateway that guesses hides its
clients' mistakes, so these refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, pre_load


def _says(**texts: str) -> dict[str, Any]:
    """Error texts by marshmallow's key."""
    return texts


class LenientSchema(Schema):
    """An object whose nulls count as absent and whose unknown fields are kept, to be named as ignored.

    What is right goes a quick way: marshmallow takes 20 µs for a message and 100 for a body. One that has hooks or
    defaults has to override `_load` as well.
    """

    class Meta:
        unknown = INCLUDE

    error_messages = _says(type="Expected an object.")

    def load(self, data: Any, *, many: bool | None = None, partial: Any = None, unknown: Any = None) -> Any:
        """As marshmallow's own, which only says what is wrong."""
        try:
            return self._load(data)
        except ValidationError:
            return super().load(data, many=many, partial=partial, unknown=unknown)

    def _load(self, data: Any) -> dict[str, Any]:
        """Raises ValidationError where marshmallow is to decide."""
        known = self.load_fields
        if not (isinstance(data, dict) and self._required <= data.keys()):
            raise ValidationError("not so quick")
        return {
            name: known[name].deserialize(value, name, data) if name in known else value
            for name, value in data.items()
            if (value is not None or name in self._required) and (name in known or self.unknown == INCLUDE)
        }

    @cached_property
    def _required(self) -> frozenset[str]:
        return frozenset(name for name, field in self.load_fields.items() if field.required)

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Say of whatever may be absent that it may be null; the nulls themselves are dropped before."""
        field_obj.allow_none = field_obj.allow_none or not field_obj.required

    @pre_load
    def drop_nulls(self, data: Any, **kwargs: Any) -> Any:
        """OpenAI's SDKs, and many clients, send null for what they do not set."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}


class Text(fields.String):
    """A string."""

    default_error_messages = _says(invalid="Expected a string.")

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """As marshmallow's own, without its detours for what is a string."""
        if not isinstance(value, str):
            return super().deserialize(value, attr, data, **kwargs)
        if self.validators:
            self._validate(value)
        return value


class Flag(fields.Boolean):
    """true or false, and nothing that merely looks like it."""

    default_error_messages = _says(invalid="Expected true or false.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Decimal(fields.Float):
    """A finite number. Strings of digits and booleans are none."""

    default_error_messages = _says(
        invalid="Expected a number.",
        special="Expected a finite number.",
        too_large="Expected a smaller number.",
    )

    def _validated(self, value: Any) -> float:
        if not isinstance(value, (int, float)):
            raise self.make_error("invalid")
        return super()._validated(value)


class Count(fields.Integer):
    """An integer. Strings of digits, booleans and 1.0 are none."""

    default_error_messages = _says(invalid="Expected an integer.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)


class Object(fields.Dict):
    """A JSON object with any content."""

    default_error_messages = _says(invalid="Expected an object.")


class ListOf(fields.List[Any]):
    """A JSON array. A lone object or string is none, though Python could iterate over it."""

    default_error_messages = _says(invalid="Expected a list.")

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """As marshmallow's own, which says what is wrong with which item."""
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
        """As marshmallow's own, without its detours for what is an object."""
        if isinstance(value, dict) and not self.validators:
            return self.schema.load(value)
        return super().deserialize(value, attr, data, **kwargs)


class StopSequences(fields.Field[Any]):
    """A string, or a list of up to four strings."""

    LIMIT = 4
    default_error_messages = _says(
        invalid="Expected a string or a list of strings.",
        too_many="At most 4 stop sequences are allowed.",
    )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | list[str]:
        if isinstance(value, str):
            return value
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if len(value) > self.LIMIT:
            raise self.make_error("too_many")
        _check_each(value, str, "Expected a string.")
        return value


class Content(fields.Field[Any]):
    """A message's content: a string or a list of content parts, whose insides are the dialect's business."""

    default_error_messages = _says(invalid="Expected a string, a list of content parts, or null.")

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """As marshmallow's own, without its detours for what is a string."""
        return value if isinstance(value, str) else super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        _check_each(value, dict, "Expected a content part, an object with a `type`.")
        return value


def _check_each(items: list[Any], kind: type, problem: str) -> None:
    """Raises a ValidationError that names the wrong items by their index."""
    wrong = {index: [problem] for index, item in enumerate(items) if not isinstance(item, kind)}
    if wrong:
        raise ValidationError(wrong)
