"""The wishes of a client about how the API serves a turn: the speed, the price and the form of the answer.

None of them changes what the model reads. For example, `Serving(fast=True, cache="1h")` asks for fast mode and for a
prompt cache that lasts an hour.
"""

from dataclasses import dataclass
from typing import Literal

#: The lifetime of the prompt cache. With "off", nothing is written to the cache.
CacheLifetime = Literal["5m", "1h", "off"]


@dataclass(frozen=True, slots=True)
class Serving:
    """The wishes of one request. The default asks for nothing, and leaves everything to the CLI.

    - `fast` asks for fast mode: the same model, faster and at a higher price.
    - `tier` is the API's `service_tier`.
    - With `hides_thinking`, the API leaves out the text of the thinking, and sends only its signature.
    - `wide_context` asks for a context window of a million tokens, on models that need a beta for it.
    """

    fast: bool = False
    tier: str | None = None
    cache: CacheLifetime | None = None
    hides_thinking: bool = False
    wide_context: bool = False
