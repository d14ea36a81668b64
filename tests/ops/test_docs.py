"""What is written is so: settings, links, make targets, the unit and the image."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.support.gateway import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Pages for people, and what belongs to them.
DESCRIPTIONS = ("/openapi.json", "/docs", "/redoc", "/dashboard")
CODE = re.compile(r"`(\w+)`")
NAMES = {field.name.upper() for field in fields(Settings)} - {"ENVIRON"}
UNIT = ROOT / "deploy/claude-gateway.service"

# Those of the gateway that this one succeeds, and the ones added since.
NAMED = (
    "install start start-prod start-prod-bg stop restart status logs test test-fast test-hello test-health test-models "
    "test-chat quick-test dev-setup lint format type-check clean kill help models info check-claude deploy-check "
    "coverage fmt demo bench test-clients requirements distclean"
)
TARGETS = set(NAMED.split())
WINDOWS_TARGETS = ("install", "install-dev", "start", "start-prod", "test", "fmt", "lint", "help")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_setting_has_its_row_with_its_default() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    defaults = dict(re.findall(r"^#([A-Z_]+)=(\S*)", example, re.M))
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (?:`(.*?)`|\u2013) \| \S", (ROOT / "docs/settings.md").read_text("utf-8"), re.M
    )
    assert sorted(name for name, _ in rows) == sorted(NAMES)
    assert dict(rows) == defaults


@pages
def test_what_is_linked_exists(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[\w.-]+)", (ROOT / "README.md").read_text("utf-8")))
    assert linked == {f"docs/{page.name}" for page in PAGES[1:]}


@pages
def test_files_and_targets_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(r"(?<![\w./-])((?:deploy|scripts|tests|gateway|docs)/[\w./-]*\w)", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert set(re.findall(r"(?:`|^|&& )make ([a-z][a-z-]*)", text, re.M)) <= TARGETS


def test_every_endpoint_is_in_the_table(tmp_path: Path) -> None:
    text = (ROOT / "docs/api.md").read_text("utf-8")
    rows = re.findall(r"^\| ((?:`[^`]*`(?:, )?)+) \|", text, re.M)
    listed = set()
    for row in rows:
        methods = re.findall(r"`([A-Z]+)\b", row)
        paths = re.findall(r"`(?:[A-Z]+ )?(/[^`]*)`", row)
        listed |= {(method, path) for method in methods for path in paths}
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/gateway.db"))
    app.extensions["store"].close()
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("not_served.") and not rule.rule.startswith(DESCRIPTIONS)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path in listed if not path.startswith(DESCRIPTIONS)} == served


def test_every_error_code_is_in_the_table() -> None:
    """But those that no client can meet: of the command line, and of classes that stand for several."""
    inner = {"key_not_found", "key_revoked", "client_closed_request", "forbidden", "not_found", "unavailable"}
    table = (ROOT / "docs/api.md").read_text("utf-8").partition("| status | code |")[2]
    listed = {
        code for cell in re.findall(r"^\| [\d, ]+ \| (.*?) \|", table, re.M) for code in CODE.findall(cell)
    }
    sources = (path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    used = {code for source in sources for code in re.findall(r'\bcode ?= ?"(\w+)"', source)}
    assert listed - used == {"missing_messages"}  # in a table of texts
    assert used - listed == inner


def test_each_fault_of_the_reference_has_its_test() -> None:
    table = (ROOT / "docs/reference.md").read_text("utf-8").partition("| kept by |")[2]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            (path,) = (ROOT / "tests").rglob(file)
            assert f"\ndef {test}(" in path.read_text("utf-8"), row


def test_modules_on_the_road_of_a_request_exist() -> None:
    named = re.findall(
        r"(?<![\w./])((?:api|claude|dialects|observe|schemas|store)/\w+\.py)",
        (ROOT / "docs/dev.md").read_text(),
    )
    assert len(named) > 10
    assert [path for path in named if not (ROOT / "gateway" / path).exists() and "NAME" not in path] == []


def test_every_target_exists_and_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.M)
    assert set(explained) >= TARGETS
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.M)
    assert phony
    assert set(explained) <= set(phony[1].replace("\\", " ").split())


def test_windows_has_its_targets() -> None:
    batch = (ROOT / "make.bat").read_bytes().decode("ascii")
    assert "\n" not in batch.replace("\r\n", "")
    labels = re.findall(r"^:([a-z-]+)\r$", batch, re.M)
    assert set(WINDOWS_TARGETS) <= set(labels)
    called = re.findall(r"call :([a-z-]+)", batch)
    assert set(called) <= set(labels)
    assert 'call "%~dp0make.bat" start' in (ROOT / "start.bat").read_bytes().decode("ascii")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_the_unit_is_sound(tmp_path: Path) -> None:
    """As systemd sees it, with programs that are there."""
    unit = tmp_path / UNIT.name
    text = UNIT.read_text("utf-8").replace(
        "/opt/claude-gateway/.venv/bin/gunicorn", shutil.which("true") or ""
    )
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (complaints, done.returncode) == ([], 0), done.stderr


def test_the_unit_waits_for_a_stop_behind_a_reload() -> None:
    advised = re.search(
        r"^GRACEFUL_TIMEOUT_SECONDS=(\d+)", (ROOT / "docs/deploy.md").read_text("utf-8"), re.M
    )
    waits = re.search(r"^TimeoutStopSec=(\d+)", UNIT.read_text("utf-8"), re.M)
    assert advised
    assert waits
    assert int(waits[1]) > 2 * int(advised[1])


def test_the_image_is_made_of_what_is_there() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text("utf-8")
    copied = [
        name for line in re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.M) for name in line.split()
    ]
    allowed = re.findall(r"^!(.+)$", (ROOT / "deploy/Dockerfile.dockerignore").read_text("utf-8"), re.M)
    assert set(copied) == set(allowed)
    assert all((ROOT / name).exists() for name in copied)
    assert dockerfile.index("USER gateway") < dockerfile.index("CMD [")
