"""Write `.env.example` and the tables of `docs/settings.md` from the declarations in `gateway/settings.py`.

Run it after every change of a setting: python scripts/write_settings_docs.py
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gateway.setting_fields import describe_values, format_value  # noqa: E402  the project is not installed
from gateway.settings import DECLARED  # noqa: E402

EXAMPLE = ROOT / ".env.example"
PAGE = ROOT / "docs" / "settings.md"

EXAMPLE_HEADER = """\
# Settings of the gateway. Copy this file to .env and uncomment the lines that you change. The environment takes
# precedence over the file. CLAUDE_CODE_API_ENV_FILE=/path/to/file names another file. docs/settings.md explains more.
# Written by scripts/write_settings_docs.py: change the declarations in gateway/settings.py instead.
"""
TABLE_HEADER = "| setting | default | values | meaning |\n| --- | --- | --- | --- |\n"
LIVE = " (live)"  # may be changed at run time
COMMENT_COLUMN, LINE_LENGTH = 40, 120


def sections() -> Iterator[tuple[str, list[Field[Any]]]]:
    """Yield each section's title with its settings, in the order of the declarations."""
    starts = [index for index, one in enumerate(DECLARED) if one.metadata["section"]]
    for start, end in zip(starts, [*starts[1:], len(DECLARED)], strict=True):
        yield DECLARED[start].metadata["section"], list(DECLARED[start:end])


def example() -> str:
    """Return the text of `.env.example`."""
    parts = [EXAMPLE_HEADER]
    for title, settings in sections():
        parts.append(f"\n# --- {title}\n" + "".join(_example_line(one) for one in settings))
    return "".join(parts)


def page(text: str) -> str:
    """Return the text of `docs/settings.md`, with the table of each section replaced."""
    for title, settings in sections():
        table = TABLE_HEADER + "".join(_row(one) for one in settings)
        pattern = rf"(^## {re.escape(title)}\n\n(?:[^|#\n].*\n|\n)*)(?:\|.*\n)+"
        match = re.search(pattern, text, re.M)
        if match is None:
            raise SystemExit(f"{PAGE.name} needs a heading '## {title}' with a table.")
        text = text[: match.start()] + match[1] + table + text[match.end() :]
    return text


def _example_line(one: Field[Any]) -> str:
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", one.metadata["description"]).replace("`", "")
    first, *others = re.split(r"(?<=\.) (?=[A-Z0-9])", text)
    line = f"#{one.name.upper()}={format_value(one.default)}".ljust(COMMENT_COLUMN) + f" # {first}"
    for sentence in others:
        if len(line) + len(sentence) >= LINE_LENGTH:
            break
        line += f" {sentence}"
    return f"{line}\n"


def _row(one: Field[Any]) -> str:
    default = format_value(one.default)
    shown = f"`{default}`" if default else "\N{EN DASH}"
    mark = LIVE if one.metadata["is_live"] else ""
    description = one.metadata["description"]
    return f"| `{one.name.upper()}` | {shown} | {describe_values(one)}{mark} | {description} |\n"


def main() -> None:
    """Write both files."""
    EXAMPLE.write_text(example(), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
