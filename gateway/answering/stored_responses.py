"""The stored responses that a request continues or refers to, and the storing of its own response."""

from gateway.answering.caller import Caller
from gateway.answering.services import Services
from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.input_items import as_list
from gateway.dialects.common.json_types import Body, Item
from gateway.dialects.responses.builder import OnEnd
from gateway.dialects.responses.references import find_references, is_reference, replace_references
from gateway.errors import InvalidRequest, ResponseNotFound, StoreError
from gateway.settings import Settings

PREVIOUS = "previous_response_id"


def is_to_be_stored(body: Body, settings: Settings) -> bool:
    """Return True if the response will be stored. Raises UnsupportedParameter if it cannot be, but has to."""
    is_stored = bool(settings.store_responses and body.get("store", True))
    if body.get("background") and not is_stored:
        raise unsupported_field("background", "A background response must be stored, but this one is not.")
    return is_stored


def find_input_items(body: Body, caller: Caller, services: Services) -> list[Item]:
    """Return the request's input as items, with the stored items that it refers to. Raises NotFound."""
    items = as_list(body.get("input", []))
    if not any(map(is_reference, items)):
        return items
    stored = services.responses.find_items(caller.owner_id, find_references(items))
    return replace_references(items, stored)


def find_earlier_items(body: Body, caller: Caller, services: Services) -> list[Item]:
    """Return the items of the responses that the request continues. Raises InvalidRequest."""
    previous = body.get(PREVIOUS)
    if not previous:
        return []
    try:
        if not services.responses.get(caller.owner_id, previous).is_finished:
            raise invalid_field(PREVIOUS, "That response is not finished yet.")
        return services.responses.list_chain(caller.owner_id, previous)
    except ResponseNotFound as error:
        problem = f"{error.message} It was not stored, is expired or deleted, or belongs to another key."
        raise InvalidRequest(problem, param=PREVIOUS, code="previous_response_not_found") from error


def store_at_end(items: list[Item], caller: Caller, services: Services) -> OnEnd:
    """Return the function that stores a response, which has the input `items`, when it is over and to be stored."""

    def store(response: Body) -> None:
        if not response["store"]:
            return
        try:
            services.responses.add(caller.owner_id, response, items)
        except StoreError:  # logged by the store; the client gets its answer all the same
            response["store"] = False

    return store
