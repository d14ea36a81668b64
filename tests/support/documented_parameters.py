"""The table of ignored and refused parameters in docs/api.md."""

import re

from tests.support.gateway import ROOT

PAGE = ROOT / "docs/api.md"
_ROW = re.compile(r"^\| `POST (/v1/[a-z/]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
_NAME = re.compile(r"`(\w+)`")


def documented() -> dict[str, tuple[list[str], list[str]]]:
    """Return the names of the ignored and of the refused parameters of each endpoint."""
    table = PAGE.read_text("utf-8").partition("\n## Ignored and refused\n")[2].partition("\n## ")[0]
    return {
        endpoint: (_NAME.findall(ignored), _NAME.findall(refused))
        for endpoint, ignored, refused in _ROW.findall(table)
    }
