"""Estimate what an answer will use, before it begins.

Budgets reserve the estimate while the answer is written. It need not be exact: it is replaced by the real usage at the
end, and only decides how many answers are admitted beside each other when little is left of a budget.
"""

from typing import Any

from gateway.turn import Model, Turn, Usage

CHARACTERS_PER_TOKEN = 4
MEDIA_TOKENS = 1_600  # of an image; a page of a document has about as many
#: Most answers are shorter. Clients such as Claude Code always ask for 32,000, which few answers need.
OUTPUT_TOKENS = 4_000
#: Of the most capable models, for a model whose price is not known.
UNKNOWN_PRICE = Model("", input_cost_per_1k=0.005, output_cost_per_1k=0.025)


def estimate_usage(turn: Turn) -> Usage:
    """Return the usage that an answer to the turn may have.

    >>> from gateway.turn import Message
    >>> turn = Turn(messages=(Message("user", ({"type": "text", "text": "x" * 400},)),), model=UNKNOWN_PRICE)
    >>> estimate_usage(turn)
    Usage(input_tokens=100, output_tokens=4000, cost_usd=0.1005)
    """
    tokens = _count_tokens([turn.system, [message.content for message in turn.messages], _tools(turn)])
    most = turn.sampling.max_tokens or OUTPUT_TOKENS
    usage = Usage(input_tokens=tokens, output_tokens=min(most, OUTPUT_TOKENS))
    cost = turn.resolved_model.cost(usage)
    return usage.with_cost(UNKNOWN_PRICE.cost(usage) if cost is None else cost)


def _tools(turn: Turn) -> list[Any]:
    return [[tool.name, tool.description, tool.input_schema] for tool in turn.tools]


def _count_tokens(value: Any) -> int:
    """Estimate the tokens of nested lists and objects."""
    characters = media = 0
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, dict):
            if one.get("type") in ("image", "document"):
                media += 1
            else:
                rest += one.values()
        elif isinstance(one, (list, tuple)):
            rest += one
    return characters // CHARACTERS_PER_TOKEN + media * MEDIA_TOKENS
