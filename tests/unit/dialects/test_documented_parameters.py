"""The table of ignored and refused parameters in docs/api.md says what the dialects do."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.common.input_items import as_list
from gateway.dialects.completions.request import parse_request as parse_completion
from gateway.dialects.messages.request import parse_request as parse_message
from gateway.dialects.responses.request import parse_request as parse_response
from gateway.errors import UnsupportedParameter
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.completions import CompletionSchema
from gateway.schemas.fields import LenientSchema
from gateway.schemas.messages import MessagesSchema
from gateway.schemas.responses import ResponsesSchema
from tests.support.documented_parameters import documented
from tests.support.recorded import Body, user


class Dialect(NamedTuple):
    """The schema and the parser of an endpoint, and its smallest body."""

    schema: LenientSchema
    parse: Callable[[Body], Any]
    body: Body


DIALECTS = {
    "/v1/chat/completions": Dialect(ChatCompletionSchema(), parse_chat, {"messages": [user("hi")]}),
    "/v1/responses": Dialect(
        ResponsesSchema(), lambda body: parse_response(body, as_list(body["input"])), {"input": "hi"}
    ),
    "/v1/messages": Dialect(MessagesSchema(), parse_message, {"max_tokens": 9, "messages": [user("hi")]}),
    "/v1/completions": Dialect(CompletionSchema(), parse_completion, {"prompt": "hi"}),
}
# Values of the types that the schemas check.
VALUES: Body = {"logprobs": True, "top_logprobs": 1, "modalities": ["audio"], "include": ["x"], "suffix": "x"}


def send(endpoint: str, name: str) -> Any:
    schema, parse, body = DIALECTS[endpoint]
    return parse(schema.load({**body, name: VALUES.get(name, {"a": "x"})}))


def fields_of(schema: LenientSchema, words: str) -> set[str]:
    described = {name: str(field.metadata.get("description")) for name, field in schema.fields.items()}
    return {name for name, description in described.items() if description.startswith(words)}


@pytest.mark.parametrize("endpoint", DIALECTS)
def test_documented_parameters_are_ignored_and_named(endpoint: str) -> None:
    ignored, _ = documented()[endpoint]
    assert [name for name in ignored if send(endpoint, name).ignored != (name,)] == []
    assert fields_of(DIALECTS[endpoint].schema, "Accepted without effect") <= set(ignored)


@pytest.mark.parametrize("endpoint", DIALECTS)
def test_documented_parameters_are_refused_by_name(endpoint: str) -> None:
    _, refused = documented()[endpoint]
    for name in refused:
        with pytest.raises(UnsupportedParameter) as caught:
            send(endpoint, name)
        assert str(caught.value.param) == name
    assert fields_of(DIALECTS[endpoint].schema, "Not supported") <= set(refused)
