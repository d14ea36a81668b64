#!/usr/bin/env python3
"""Print the part of CHANGELOG.md about a version, for the notes of its release: scripts/release_notes.py 1.1.0."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def find_notes(changelog: str, version: str) -> str:
    """Return the text below the heading of the version; "" if there is no such heading.

    >>> find_notes("## [1.1.0] - 2026-12-01\\n\\n- Faster.\\n\\n## [1.0.0]\\n\\n- First.\\n", "1.1.0")
    '- Faster.'
    """
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    return found[1].strip() if found else ""


def main() -> None:
    """Run the command line."""
    version = sys.argv[1]
    notes = find_notes(CHANGELOG.read_text("utf-8"), version)
    if not notes:
        sys.exit(f"CHANGELOG.md has nothing about {version}.")
    print(notes)


if __name__ == "__main__":
    main()
