"""Leave the part of a request out that the API has rejected, so that it can be sent again.

Each part is sent no more after its rejection, so there is no second attempt for the same reason. Limits of a
model or of a set of tools are remembered. For example, for a request with thinking that another provider has signed:

    leave_out_rejected(sent, error, conversation, catalog).repaired     # (Repair("thinking-rejected", "messages"),)
"""

import logging
from dataclasses import dataclass, replace

from gateway.claude import rejections
from gateway.claude.catalog import ModelCatalog
from gateway.claude.cli.conversation import Conversation
from gateway.errors import InvalidRequest
from gateway.repairs import Repair
from gateway.turn import Model, Turn

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The request of an attempt. `set_up` is the digest of its set-up, and `repaired` names the parts left out."""

    turn: Turn
    is_strict: bool
    model: Model
    set_up: bytes
    repaired: tuple[Repair, ...] = ()


def leave_out_rejected(
    sent: SentRequest, error: InvalidRequest, conversation: Conversation, catalog: ModelCatalog
) -> SentRequest:
    """Return the request without the part that `error` is about. Raises `error` if it is about no such part."""
    turn, model = sent.turn, sent.model
    if turn.output_format is not None and rejections.rejects_format(error):
        log.info("structured output was rejected for model %s: %s", model.id, error)
        is_model = rejections.rejects_all_formats(error)
        catalog.remember_no_format(model, None if is_model else turn.output_schema)
        return sent
    if sent.is_strict and rejections.rejects_strict(error, conversation):
        log.info("strict tools were rejected for model %s: %s", model.id, error)
        catalog.remember_no_strict(sent.set_up)
        return replace(sent, is_strict=False)
    if model.forced_tools and rejections.rejects_forced_tools(error):
        log.info("model %s rejects forced calls of tools: %s", model.id, error)
        catalog.remember_no_forced_tools(model)
    elif turn.serving.tier and model.service_tiers and "service_tier" in error.message:
        log.info("model %s rejects the service tier: %s", model.id, error)
        catalog.remember_no_service_tier(model)
    elif turn.has_thinking and rejections.rejects_thinking(error):
        log.info("the API rejects the thinking that was sent back: %s", error)
        repaired = (Repair("thinking-rejected", "messages"),)
        return replace(sent, turn=turn.without_thinking(), repaired=repaired)
    elif rejections.rejects_hosted_calls(error) and turn.has_hosted_calls:
        log.info("the API rejects the calls or results of hosted tools: %s", error)
        repaired = (Repair("part-as-text", "messages"),)
        return replace(sent, turn=turn.without_hosted_calls(), repaired=repaired)
    elif rejections.rejects_sampling(error, conversation):
        log.info("model %s rejects sampling parameters: %s", model.id, error)
        catalog.remember_no_sampling(model)
    else:
        raise error
    return replace(sent, model=catalog.resolve(model.id))
