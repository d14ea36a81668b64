"""Valid bodies skip marshmallow. The result is the same as marshmallow's, or the schema has no fast path."""

import json
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.fields import List, Nested

import gateway.app  # noqa: F401  imports all schemas
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


def subclasses(schema: type[Schema]) -> list[type[Schema]]:
    """Return all subclasses in the product, direct or not."""
    below = [found for one in schema.__subclasses__() for found in (one, *subclasses(one))]
    return [found for found in below if found.__module__.startswith("gateway.")]


def bodies(schema: Schema) -> st.SearchStrategy[Any]:
    """Generate objects, most of them nearly valid."""
    known = {name: values(field) for name, field in schema.fields.items()} | {"unknown": VALUES}
    some = st.dictionaries(st.sampled_from([*known]), st.none(), max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({name: known[name] for name in chosen})
    )
    required = [name for name, field in schema.fields.items() if field.required]
    likely = [name for name in ("messages", "role") if name in known]
    complete = st.fixed_dictionaries({name: known[name] for name in {*required, *likely}})
    return VALUES | some | st.builds(operator.or_, some, complete)


def values(field: Any) -> st.SearchStrategy[Any]:
    if isinstance(field, Nested):
        return bodies(field.schema)
    return VALUES | st.lists(values(field.inner), max_size=3) if isinstance(field, List) else VALUES


@pytest.mark.parametrize("schema", subclasses(LenientSchema))
def test_fast_path_loads_what_marshmallow_loads(schema: type[Schema]) -> None:
    @given(bodies(schema()))
    def compare(body: Any) -> None:
        fast = loaded(schema(), body)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LenientSchema, "has_fast_path", False)
            for field in (Text, ListOf, ObjectOf):
                patch.delattr(field, "deserialize")
            assert fast == loaded(schema(), body)

    compare()


def loaded(schema: Schema, body: Any) -> str:
    """Return the result as text, because NaN is not equal to itself."""
    try:
        result = schema.load(body)
    except ValidationError as error:
        result = error.messages
    return json.dumps(result, sort_keys=True)


@pytest.mark.parametrize("schema", subclasses(LenientSchema))
def test_all_schemas_of_the_product_have_the_fast_path(schema: type[LenientSchema]) -> None:
    assert schema().has_fast_path


class WithHook(LenientSchema):
    name = Text()

    @post_load
    def shout(self, data: Any, **kwargs: Any) -> Any:
        return {**data, "name": data["name"].upper()}


class WithValidator(LenientSchema):
    name = Text()

    @validates_schema
    def reject(self, data: Any, **kwargs: Any) -> None:
        raise ValidationError("Always wrong.")


class WithDefault(LenientSchema):
    name = Text(load_default="A")


class WithKey(LenientSchema):
    name = Text(data_key="key")


class WithAttribute(LenientSchema):
    key = fields.String(attribute="name")


@pytest.mark.parametrize(
    ("schema", "sent"),
    [(WithHook, {"name": "a"}), (WithDefault, {}), (WithKey, {"key": "A"}), (WithAttribute, {"key": "A"})],
)
def test_schema_that_the_fast_path_cannot_load_is_left_to_marshmallow(
    schema: type[LenientSchema], sent: dict[str, Any]
) -> None:
    assert not schema().has_fast_path
    assert schema().load(sent) == {"name": "A"}


def test_validators_of_a_subclass_run() -> None:
    with pytest.raises(ValidationError):
        WithValidator().load({"name": "a"})
