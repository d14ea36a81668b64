"""The site of the documentation builds without a warning, and needs no other server."""

import re
import sys
from pathlib import Path

import pytest

from tests.clients.installs import python_of, run
from tests.support.gateway import ROOT
from tests.support.wide import wide

LOADED = re.compile(
    r"<(?:script|img|iframe)[^>]*\ssrc=\"(https?://[^\"]+)|<link[^>]*\shref=\"(https?://[^\"]+)"
)


@wide
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.version_info < (3, 11), reason="Sphinx needs Python 3.11")
def test_site_builds_with_all_links_and_works_without_a_network(tmp_path: Path) -> None:
    python = python_of("site", ROOT / "docs/site/requirements.txt")
    options = ["-q", "-W", "--keep-going", "-c", "docs/site", "-d", str(tmp_path / "doctrees")]
    run([str(python), "-m", "sphinx", *options, "-b", "html", str(ROOT), str(tmp_path / "site")], 300)
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text("utf-8")
        assert LOADED.findall(text) == [], page
        assert "| ---" not in text, page  # a table that was not read as one
    index = (tmp_path / "site/searchindex.js").read_text("utf-8")
    assert "docs/upgrade" in index
