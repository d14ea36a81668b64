"""Sphinx configuration of the documentation's site: `make site` writes it to build/site.

The pages are the Markdown files as they are in the repository, so that every link works in both places. The table of
contents is in this file, because Markdown has no form for it.
"""

from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

ROOT = Path(__file__).resolve().parents[2]
START = "docs/index"
NAVIGATION = {
    "Use it": [
        "README",
        "docs/clients",
        "docs/api",
        "docs/responses",
        "docs/messages",
        "docs/sessions",
        "docs/files",
        "docs/batches",
        "docs/hosted-tools",
        "docs/mcp",
        "docs/projects",
        "docs/reference",
    ],
    "Operate it": [
        "docs/deploy",
        "docs/upgrade",
        "docs/settings",
        "docs/security",
        "docs/limits",
        "docs/admin",
        "docs/operations",
        "docs/alerts",
        "docs/accounts",
        "docs/scale",
        "docs/performance",
        "docs/troubleshooting",
    ],
    "Contribute": [
        "CONTRIBUTING",
        "docs/dev",
        "docs/design/README",
        "tests/clients/README",
        "SECURITY",
        "CHANGELOG",
    ],
}
#: Pages of another page's own table of contents.
PARTS = {"docs/design/README": sorted((ROOT / "docs/design").glob("[!R]*.md"))}

project = "Claude Code gateway"
author = "The maintainers of Claude Code gateway"
extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = START
include_patterns = ["*.md", "docs/**.md", "tests/clients/README.md"]
exclude_patterns = ["docs/site/**"]
nitpicky = True

myst_heading_anchors = 6  # the anchors that GitHub makes

html_theme = "furo"
html_title = project
html_static_path: list[str] = []
html_extra_path = ["extra"]
html_show_sourcelink = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = "$ "


def add_contents(app: Any, name: str, content: list[str]) -> None:
    """Append the table of contents to the pages that have one."""
    tables = NAVIGATION if name == START else {}
    if name in PARTS:
        tables = {"Notes": [f"docs/design/{path.stem}" for path in PARTS[name]]}
    for caption, pages in tables.items():
        entries = "\n".join(f"/{page}" for page in pages)
        content[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def setup(app: Any) -> dict[str, bool]:
    """Register the table of contents, and diagrams as text."""
    app.connect("source-read", add_contents)
    app.add_lexer("mermaid", TextLexer)  # GitHub draws them; here they would need a script of another server
    return {"parallel_read_safe": True}
