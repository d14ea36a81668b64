"""Reading of an OpenAPI description."""

from tests.support.api_client import Body

METHODS = ("get", "put", "post", "patch", "delete")


def operations_of(description: Body) -> list[tuple[str, str, Body]]:
    """Return the method, path and description of every operation."""
    return [
        (method, path, operation)
        for path, item in description["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]
