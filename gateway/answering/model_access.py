"""The model that a request asks for, and whether the caller's key may use it."""

from gateway.answering.caller import Caller
from gateway.claude.catalog import ModelCatalog
from gateway.errors import ModelNotAllowed, ModelNotSupported
from gateway.turn import Model


def resolve_model(
    name: str | None, caller: Caller, catalog: ModelCatalog, *, wants_width: bool = False
) -> Model:
    """Return the model called `name` (None: the default). Raises ModelNotSupported and ModelNotAllowed.

    A key's models may be written as ids or aliases; both stand for the model they resolve to. With `wants_width`, the
    model has a context window of a million tokens if it can have one and the key may use it.
    """
    model = catalog.resolve(name)
    allowed = caller.identity.allowed_models if caller.identity else None
    if wants_width:
        wide = catalog.widen(model)
        if allowed is None or any(_is_name_of(wide, known, catalog) for known in allowed):
            return wide
    if allowed is None or name in allowed or any(_is_name_of(model, known, catalog) for known in allowed):
        return model
    raise ModelNotAllowed(
        f"This API key may not use the model '{name or 'default'}'. It may use: {', '.join(allowed) or 'none'}.",
        param="model",
    )


def may_use(model: Model, caller: Caller, catalog: ModelCatalog) -> bool:
    """Return True if the caller's key allows a listed model."""
    allowed = caller.identity.allowed_models if caller.identity else None
    return allowed is None or any(_is_name_of(model, known, catalog) for known in allowed)


def _is_name_of(model: Model, name: str, catalog: ModelCatalog) -> bool:
    try:
        return catalog.resolve(name).id == model.id
    except ModelNotSupported:  # the key may name a model that no longer exists
        return False
