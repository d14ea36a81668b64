"""Apply the limits of clients to requests.

Every POST to a blueprint that answers counts as a request. Budgets and slots apply only to a POST to the blueprint's
own URL or to `/compact` below it, which start an answer: a client over its budget can still cancel one.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from flask import Blueprint, Flask, Response, request
from limits.errors import StorageError

from gateway.answering.limits import RequestLimits
from gateway.answering.services import Services
from gateway.api.http.context import find_state, get_caller, get_state
from gateway.errors import StoreError

#: The end of the path that compacts a conversation, for which the model writes a summary.
COMPACT = "/compact"

log = logging.getLogger(__name__)


def init_app(app: Flask, services: Services, answering: Iterable[Blueprint], public: Collection[str]) -> None:
    """Limit POSTs to the `answering` blueprints, and add the headers in all blueprints but those named `public`."""
    answer_paths = {blueprint.name: blueprint.url_prefix for blueprint in answering}
    app.before_request(partial(_admit, services.limits, answer_paths, public))
    app.after_request(partial(_add_headers, services.limits))
    app.teardown_request(_release_unused_slot)


def _admit(limits: RequestLimits, answer_paths: Mapping[str, str | None], public: Collection[str]) -> None:
    """Count the request, and take a slot if it starts an answer. Raises LimitReached or QuotaExceeded."""
    if request.endpoint is None or request.method == "OPTIONS" or request.blueprint in public:
        return
    state = get_state()
    client = state.client_limits = limits.find_client(get_caller())
    blueprint = request.blueprint or ""
    if request.method != "POST" or blueprint not in answer_paths:
        return
    if request.path.removesuffix(COMPACT) == answer_paths[blueprint]:
        limits.check_budgets(client)
        state.admission = limits.admit_answer(client)
    else:
        limits.count_request(client)


def _add_headers(limits: RequestLimits, response: Response) -> Response:
    client = get_state().client_limits
    if client is not None:
        try:
            response.headers.update(limits.make_headers(client))
        except (StoreError, StorageError):
            log.warning("a response has no x-ratelimit headers: the counters cannot be read")
    return response


def _release_unused_slot(_: BaseException | None) -> None:
    """Release the slot of a request that started no answer. The end of an answer releases its own slot."""
    state = find_state()
    if state is not None and state.admission is not None and state.answer is None:
        state.admission.release()
