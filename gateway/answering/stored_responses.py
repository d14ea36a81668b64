"""The stored responses that a request continues or refers to, and the storing of its own response."""

from collections.abc import Sequence

from gateway.answering.caller import Caller
from gateway.answering.connection_memory import ConnectionMemory
from gateway.answering.services import Services
from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.input_items import as_list
from gateway.dialects.common.json_types import Body, Item
from gateway.dialects.responses.builder import OnEnd
from gateway.dialects.responses.references import find_references, is_reference, replace_references
from gateway.errors import InvalidRequest, ResponseNotFound, StoreError
from gateway.settings import Settings
from gateway.store.conversations import MAX_ITEMS

PREVIOUS = "previous_response_id"
#: The states of a response that the next one can continue.
CONTINUABLE = ("completed", "incomplete")


def is_to_be_stored(body: Body, settings: Settings) -> bool:
    """Return True if the response will be stored. Raises UnsupportedParameter if it cannot be, but has to."""
    is_stored = bool(settings.store_responses and body.get("store", True))
    if body.get("background") and not is_stored:
        raise unsupported_field("background", "A background response must be stored, but this one is not.")
    return is_stored


def find_input_items(body: Body, caller: Caller, services: Services) -> list[Item]:
    """Return the request's input as items, with the stored items that it refers to. Raises NotFound."""
    return find_items(as_list(body.get("input", [])), "input", caller, services)


def find_items(items: list[Item], field: str, caller: Caller, services: Services) -> list[Item]:
    """Return the items of a list in `field`, with the stored items that it refers to. Raises NotFound."""
    if not any(map(is_reference, items)):
        return items
    wanted = find_references(items)
    stored = {**services.responses.find_items(caller.owner_id, wanted)}
    missing = [item_id for item_id in wanted if item_id not in stored]
    stored |= services.conversations.find_items(caller.owner_id, missing)
    return replace_references(items, stored, field)


def find_earlier_items(
    body: Body, caller: Caller, services: Services, memory: ConnectionMemory | None = None
) -> list[Item]:
    """Return the items of the responses that the request continues. Raises InvalidRequest."""
    previous = body.get(PREVIOUS)
    if not previous:
        return []
    remembered = memory.find(previous) if memory is not None else None
    if remembered is not None:
        return remembered
    try:
        if not services.responses.get(caller.owner_id, previous).is_finished:
            raise invalid_field(PREVIOUS, "That response is not finished yet.")
        items = services.responses.list_chain(caller.owner_id, previous)
    except ResponseNotFound as error:
        problem = f"{error.message} It was not stored, is expired or deleted, or belongs to another key."
        raise InvalidRequest(problem, param=PREVIOUS, code="previous_response_not_found") from error
    if len(items) >= MAX_ITEMS:
        raise invalid_field(PREVIOUS, f"That conversation has {MAX_ITEMS} items. Start a new one.")
    return items


def store_at_end(
    items: list[Item],
    caller: Caller,
    services: Services,
    earlier: Sequence[Item] = (),
    memory: ConnectionMemory | None = None,
) -> OnEnd:
    """Return the function that stores a response when it is over and to be stored. Otherwise the memory gets it.

    `items` are its input, and `earlier` the items of the responses that it continues.
    """

    def store(response: Body) -> None:
        if response["store"]:
            # A response that is not stored cannot be referred to, so its items are stored with this one.
            is_whole = memory is not None and memory.find(response[PREVIOUS] or "") is not None
            inputs = [*earlier, *items] if is_whole else items
            try:
                services.responses.add(caller.owner_id, response, inputs, is_whole=is_whole)
            except StoreError:  # logged by the store; the client gets its answer all the same
                response["store"] = False
        if memory is not None and not response["store"] and response["status"] in CONTINUABLE:
            memory.remember(response["id"], [*earlier, *items, *response["output"]])

    return store
