"""Hooks of schemathesis for tests/ops/test_openapi_contract.py, which names this module in its environment."""

from typing import Any

import schemathesis

MAX_QUERY = 300  # characters before escaping; gunicorn rejects request lines of more than 4094


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """Return whether gunicorn passes such a query on to the gateway."""
    return len(str(query)) < MAX_QUERY
