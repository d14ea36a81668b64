"""System messages between turns. The model reads them where they stand, as a reminder in the user's turn.

Only the system messages before the first turn are the system prompt. Clients add later ones after tool results, for
example the tokens that are left, or before a question. If they were moved to the system prompt, its text would change
with every request, and neither Anthropic's prompt cache nor a parked process would fit.

>>> read_note("Be brief.", Where("messages[2].content"))[0].block["text"]
'<system-reminder>\\nBe brief.\\n</system-reminder>'
"""

from typing import Any

from gateway.dialects.common.content import ContentPart, read_joined_text
from gateway.dialects.common.text import is_blank
from gateway.dialects.common.tool_rounds import Utterance
from gateway.dialects.common.where import Where

#: Claude models know this tag from Claude Code: the system wrote the text inside, not the user.
OPEN, CLOSE = "<system-reminder>", "</system-reminder>"


def read_system(content: Any, where: Where, system: list[str], utterances: list[Utterance]) -> None:
    """Add a system message to the texts of the system prompt, or to the user's turn once the conversation has begun."""
    if any(parts for _, parts in utterances):
        utterances.append(("user", read_note(content, where)))
    else:
        system.append(read_joined_text(content, where))


def read_note(content: Any, where: Where) -> list[ContentPart]:
    """Return the content of a system message as a part of the user's turn; [] for blank text."""
    text = read_joined_text(content, where)
    if is_blank(text):
        return []
    if not text.lstrip().startswith(OPEN):
        text = f"{OPEN}\n{text}\n{CLOSE}"
    return [ContentPart({"type": "text", "text": text}, where, is_note=True)]
