"""The little Markdown that recipes of clients use: `code`, *emphasis* and [links](https://example.com).

>>> inline_markdown("Open *Settings* & set `x`.")
Markup('Open <em>Settings</em> &amp; set <code>x</code>.')
>>> inline_markdown("`https://*.example.com` or `*`")
Markup('<code>https://*.example.com</code> or <code>*</code>')
"""

import re

from markupsafe import Markup, escape

_FORMS = re.compile(r"`(?P<code>[^`]+)`|\*(?P<em>[^*`]+)\*|\[(?P<text>[^\]]+)\]\((?P<url>https?://[^)\s]+)\)")


def inline_markdown(text: str) -> Markup:
    """Return a line of Markdown as HTML. Everything else in it is escaped."""
    return Markup(_FORMS.sub(_to_html, str(escape(text))))


def _to_html(found: re.Match[str]) -> str:
    if found["url"]:
        return f'<a href="{found["url"]}">{found["text"]}</a>'
    return f"<code>{found['code']}</code>" if found["code"] else f"<em>{found['em']}</em>"
