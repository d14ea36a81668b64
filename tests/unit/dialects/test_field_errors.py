"""Errors that name a concept are translated into the field names of each dialect."""

import pytest

from gateway.dialects.chat.answers import FIELD_NAMES as CHAT
from gateway.dialects.common.field_errors import (
    FieldNames,
    translate_error,
    translate_names,
    translated_errors,
)
from gateway.dialects.completions.answers import FIELD_NAMES as COMPLETIONS
from gateway.dialects.messages.errors import FIELD_NAMES as MESSAGES
from gateway.dialects.responses.builder import FIELD_NAMES as RESPONSES
from gateway.errors import InvalidRequest, RateLimited, UpstreamError

SCHEMA_ERROR = InvalidRequest(
    "The model cannot follow it.", param="output_schema", code="invalid_json_schema"
)


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (CHAT, "response_format.json_schema.schema"),
        (RESPONSES, "text.format.schema"),
        (MESSAGES, "output_config.format.schema"),
    ],
)
def test_each_dialect_names_its_own_field_for_the_output_schema(names: FieldNames, field: str) -> None:
    error = translate_error(SCHEMA_ERROR, names)
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (field, "invalid_json_schema")
    assert error.message == f"Invalid '{field}': The model cannot follow it."


@pytest.mark.parametrize("names", [CHAT, RESPONSES, MESSAGES, COMPLETIONS])
def test_errors_without_a_translated_field_stay_the_same(names: FieldNames) -> None:
    for error in (UpstreamError("x"), InvalidRequest("x", param="model")):
        assert translate_error(error, names) is error


def test_translation_keeps_type_and_retry_hints() -> None:
    error = RateLimited("Too many.", param="output_schema", retry_after=3, should_retry=False)
    got = translate_error(error, RESPONSES)
    assert (type(got), got.retry_after, got.should_retry) == (RateLimited, 3, False)


def test_errors_of_a_block_are_raised_in_translation() -> None:
    with pytest.raises(InvalidRequest) as caught, translated_errors(RESPONSES):
        raise SCHEMA_ERROR
    assert caught.value.param == "text.format.schema"
    untranslated = UpstreamError("x")
    with pytest.raises(UpstreamError) as other, translated_errors(RESPONSES):
        raise untranslated
    assert other.value is untranslated


def test_ignored_parameters_are_translated() -> None:
    assert translate_names(("thinking_budget", "top_p"), MESSAGES) == ("thinking.budget_tokens", "top_p")
