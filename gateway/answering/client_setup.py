"""The values that a client needs to use this gateway: address, key and models."""

from gateway.claude.catalog import ModelCatalog
from gateway.client_recipes.recipe import Values
from gateway.errors import ModelNotFound
from gateway.settings import Settings

ANY_ADDRESS = ("0.0.0.0", "::", "127.0.0.1", "::1")
KEY_TO_FILL_IN = "YOUR_KEY"
NO_KEY = "unused"  # most clients insist on some text


def local_address(settings: Settings) -> str:
    """Return the gateway's address for clients on the same machine."""
    host = "localhost" if settings.host in ANY_ADDRESS else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def values_for(
    settings: Settings,
    catalog: ModelCatalog,
    address: str,
    *,
    key: str | None = None,
    model: str | None = None,
) -> Values:
    """Return the values for recipes. `model` must be a name that the gateway accepts. Raises ModelNotSupported."""
    if model is not None:
        catalog.resolve(model)
    return Values(
        address=address,
        key=key or (KEY_TO_FILL_IN if settings.require_auth else NO_KEY),
        model=model or settings.default_model or _listed(catalog, "sonnet"),
        small_model=_listed(catalog, "haiku"),
    )


def _listed(catalog: ModelCatalog, name: str) -> str:
    """Return the name, or the first listed model if an operator's file does not have it."""
    try:
        catalog.find(name)
    except ModelNotFound:
        return catalog.all()[0].id
    return name
