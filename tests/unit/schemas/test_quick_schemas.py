"""Bodies that are right pass marshmallow by: what comes of them is what it would have made."""

from __future__ import annotations

import json
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError
from marshmallow.fields import List, Nested

import gateway.app  # noqa: F401  which brings all schemas
from gateway.schemas.chat import ROLES
from gateway.schemas.fields import LenientSchema, ListOf, ObjectOf, Text

SCALARS = st.none() | st.booleans() | st.integers(-1, 3) | st.floats() | st.sampled_from(["", "a", *ROLES])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "a"]), inner, max_size=2)
    ),
    max_leaves=5,
)


def _below(schema: type[Schema]) -> list[type[Schema]]:
    return [found for one in schema.__subclasses__() for found in (one, *_below(one))]


def _bodies(schema: Schema) -> st.SearchStrategy[Any]:
    """Objects, most of them nearly right."""
    fields = {name: _values(field) for name, field in schema.fields.items()} | {"unknown": VALUES}
    some = st.dictionaries(st.sampled_from([*fields]), st.none(), max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen})
    )
    needed = [name for name, field in schema.fields.items() if field.required]
    likely = [name for name in ("messages", "role") if name in fields]
    whole = st.fixed_dictionaries({name: fields[name] for name in {*needed, *likely}})
    return VALUES | some | st.builds(operator.or_, some, whole)


def _values(field: Any) -> st.SearchStrategy[Any]:
    if isinstance(field, Nested):
        return _bodies(field.schema)
    return VALUES | st.lists(_values(field.inner), max_size=3) if isinstance(field, List) else VALUES


@pytest.mark.parametrize("schema", _below(LenientSchema))
def test_the_quick_way_is_marshmallows(schema: type[Schema]) -> None:
    @given(_bodies(schema()))
    def attempt(body: Any) -> None:
        quick = _loaded(schema(), body)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LenientSchema, "_load", _refuse)
            for field in (Text, ListOf, ObjectOf):
                patch.delattr(field, "deserialize")
            assert quick == _loaded(schema(), body)

    attempt()


def _refuse(*_: Any) -> Any:
    raise ValidationError("never quick")


def _loaded(schema: Schema, body: Any) -> str:
    """As text, for NaN is not equal to itself."""
    try:
        loaded = schema.load(body)
    except ValidationError as error:
        loaded = error.messages
    return json.dumps(loaded, sort_keys=True)
