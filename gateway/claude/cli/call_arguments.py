"""The arguments of the calls of an answer, as the model has written them."""

from contextlib import suppress
from dataclasses import dataclass, field

from gateway.json_schema import ValueMapping
from gateway.lenient_json import dumps
from gateway.partial_json import load_cut


@dataclass(frozen=True, slots=True)
class UnmappedArguments:
    """The arguments of a call in the model's form. They are collected, because only a whole value can be mapped."""

    mapping: ValueMapping
    fragments: list[str] = field(default_factory=list)

    def to_client(self) -> str:
        """Return the arguments in the client's form. What a token limit has cut off is completed or left out.

        Text that is not JSON stays as the model wrote it: the API does not check the arguments that it streams eagerly.
        """
        written = "".join(self.fragments)
        try:
            return dumps(self.mapping.to_client(load_cut(written or "{}"))).decode()
        except ValueError:
            return written


def read_call_input(written: str) -> object:
    """Return the arguments of a call. No client sends back those that are not JSON as they are."""
    with suppress(ValueError):
        return load_cut(written or "{}")
    return {}
