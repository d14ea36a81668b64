"""The little Markdown that recipes of clients use: `code`, *emphasis* and [links](https://example.com).

>>> inline_markdown("Open *Settings* & set `x`.")
Markup('Open <em>Settings</em> &amp; set <code>x</code>.')
"""

import re

from markupsafe import Markup, escape

_FORMS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
    (re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+)\)"), r'<a href="\2">\1</a>'),
)


def inline_markdown(text: str) -> Markup:
    """Return a line of Markdown as HTML. Everything else in it is escaped."""
    html = str(escape(text))
    for pattern, replacement in _FORMS:
        html = pattern.sub(replacement, html)
    return Markup(html)
