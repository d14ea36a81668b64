"""Keep the docs in step with the code: settings, links, endpoints, make targets, the systemd unit and the image."""

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.api.http.context import services_of
from gateway.app import create_app
from gateway.client_recipes.catalog import BY_NAME
from gateway.settings import Settings
from gateway.version import RELEASED
from scripts.release_notes import find_notes
from tests.support.gateway import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
DESIGN_NOTES = sorted((ROOT / "docs/design").glob("*.md"))
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *DOCS,
    *DESIGN_NOTES,
]
#: URLs of web pages, which the table of endpoints does not list one by one.
DESCRIPTIONS = ("/openapi.json", "/docs", "/redoc", "/dashboard", "/assets")
CODE = re.compile(r"`(\w+)`")
NAMES = {field.name.upper() for field in fields(Settings)} - {"ENVIRON"}
UNIT = ROOT / "deploy/claude-gateway.service"

# The targets of claude-code-api, which this gateway succeeds, and the ones added since.
NAMED = (
    "install start start-prod start-prod-bg stop restart status logs test test-fast test-hello test-health test-models "
    "test-chat quick-test login dev-setup lint format type-check clean kill help models info check-claude deploy-check "
    "doctor dist site coverage fmt demo bench bench-check test-all test-clients fuzz chaos requirements distclean"
)
TARGETS = set(NAMED.split())
WINDOWS_TARGETS = ("install", "install-dev", "start", "start-prod", "test", "fmt", "lint", "help")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
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
def test_linked_pages_and_headings_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_is_linked_from_the_start_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)", (ROOT / "docs/index.md").read_text("utf-8")))
    assert linked == {page.name for page in DOCS} - {"index.md"}
    assert "](docs/index.md)" in (ROOT / "README.md").read_text("utf-8")
    contents = (ROOT / "docs/site/conf.py").read_text("utf-8")
    assert [name for name in linked if f'"docs/{name.removesuffix(".md")}"' not in contents] == []


def test_readme_names_only_clients_that_exist() -> None:
    table = (ROOT / "README.md").read_text("utf-8").partition("| client | command")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(?:claude-gateway connect )?([\w-]+)`", table))
    assert len(named) > 15
    assert named <= set(BY_NAME)


@pytest.mark.parametrize("page", ["docs/dev.md", "docs/design/README.md"])
def test_every_design_note_is_linked(page: str) -> None:
    linked = re.findall(r"\]\((?:design/)?([\w-]+\.md)", (ROOT / page).read_text("utf-8"))
    assert set(linked) >= {note.name for note in DESIGN_NOTES} - {"README.md"}


@pages
def test_named_files_and_make_targets_exist(page: Path) -> None:
    text = re.sub(r"^```(?!sh\n)\w+\n.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
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
    services_of(app).store.close()
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not (
            rule.endpoint.startswith("not_served.") or rule.rule.startswith(DESCRIPTIONS) or rule.websocket
        )
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path in listed if not path.startswith(DESCRIPTIONS)} == served


def test_every_error_code_is_in_the_table() -> None:
    """Leave out codes that no client can meet: those are for the command line or for abstract classes."""
    inner = {"client_closed_request", "forbidden", "not_found", "unavailable"}
    table = (ROOT / "docs/api.md").read_text("utf-8").partition("| status | code |")[2]
    listed = {
        code for cell in re.findall(r"^\| [\d, ]+ \| (.*?) \|", table, re.M) for code in CODE.findall(cell)
    }
    sources = (path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    used = {code for source in sources for code in re.findall(r'\bcode ?= ?"(\w+)"', source)}
    assert listed - used == {"missing_messages"}  # in a table of texts
    assert used - listed == inner


def test_messages_that_the_troubleshooting_page_quotes_exist() -> None:
    """Leave out messages of gunicorn. Sources split long messages over several literals."""
    page = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    quoted = re.findall(r"^\| `([A-Z]\w+ [^`…]+?)(?: …)?` \|", page, re.M) + [
        "cannot create a virtual environment"
    ]
    sources = [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "scripts").glob("*.py"), ROOT / "Makefile"]
    text = "\n".join(re.sub(r'"\n\s*f?"', "", path.read_text("utf-8")) for path in sources)
    assert len(quoted) > 5
    assert [words for words in quoted if words not in text] == [
        "Address already in use",
        "Already running on PID",
    ]


def test_every_fixed_fault_of_the_reference_names_its_test() -> None:
    table = (ROOT / "docs/reference.md").read_text("utf-8").partition("| checked by |")[2]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            found = [
                path for path in (ROOT / "tests").rglob(file) if f"\ndef {test}(" in path.read_text("utf-8")
            ]
            assert len(found) == 1, row


@pytest.mark.parametrize(
    ("page", "heading", "count"),
    [("security", "Threats and protection", 17), ("limits", "Limits", 12), ("limits", "Sizes", 1)],
)
def test_every_promise_names_its_test(page: str, heading: str, count: int) -> None:
    """A promise is a row of a table with a column `tests`, or an item of a list."""
    section = re.split(rf"^## {heading}$", (ROOT / f"docs/{page}.md").read_text("utf-8"), flags=re.M)[1]
    section = section.partition("\n## ")[0]
    rows = re.findall(r"^\| .* \|$", section, re.M) if "tests |" in section else []
    promises = [row for row in rows if not re.match(r"\| (---|limit|threat) ", row)]
    promises += re.split(r"^- ", section.partition("\n\nEvery response")[0], flags=re.M)[1:]
    promises += re.findall(r"^A body is limited.*?^$", section, re.M | re.S)
    assert len(promises) >= count
    assert [promise for promise in promises if not re.search(r"\]\(\.\./tests/[\w/]+\.py\)", promise)] == []


@pytest.mark.parametrize("page", [ROOT / "docs/dev.md", *DESIGN_NOTES], ids=lambda page: page.name)
def test_named_modules_exist(page: Path) -> None:
    """Paths in these pages are relative to gateway/. Upper-case names in a path are placeholders."""
    named = re.findall(
        r"(?<![\w./])((?:answering|api|claude|dialects|observe|schemas|store)/[\w/]+\.py)",
        page.read_text("utf-8"),
    )
    assert [path for path in named if not (ROOT / "gateway" / path).exists() and "NAME" not in path] == []


def test_workflows_use_existing_targets_and_pinned_actions() -> None:
    workflows = [path.read_text("utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")]
    assert len(workflows) == 4
    for workflow in workflows:
        actions = re.findall(r"uses: (\S+)", workflow)
        assert actions
        assert [action for action in actions if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []
        assert set(re.findall(r"\bmake ([a-z-]+)", workflow)) <= TARGETS
        assert all((ROOT / command).exists() for command in re.findall(r"run: (\.ci/\w+)", workflow))


def test_changelog_has_the_current_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings[:2] == ["Unreleased", RELEASED]
    notes = find_notes((ROOT / "CHANGELOG.md").read_text("utf-8"), RELEASED)
    assert notes
    assert "## [" not in notes


@pytest.mark.parametrize("page", DESIGN_NOTES, ids=lambda page: page.name)
def test_methods_that_design_notes_name_exist(page: Path) -> None:
    """Find names such as `Fleet.park` and `park(digest, conversation)`."""
    named = re.findall(r"`(?:([A-Z]\w+)\.)?(\w+)(?:\([^`]*\))?`", page.read_text("utf-8"))
    sources = [*(ROOT / "gateway").rglob("*.py"), ROOT / "gateway/gunicorn_conf.py"]
    code = "\n".join(path.read_text("utf-8") for path in sources)
    methods = {(owner, name) for owner, name in named if owner}
    assert [pair for pair in methods if not re.search(rf"class {pair[0]}\b", code)] == []
    assert [pair for pair in methods if not re.search(rf"def {pair[1]}\b", code)] == []
    called = re.findall(r"`([a-z_]+)\([^`]*\)`", page.read_text("utf-8"))
    assert [name for name in called if not re.search(rf"\b{name}\b", code)] == []


def test_every_make_target_exists_and_has_a_description() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.M)
    assert set(explained) >= TARGETS
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.M)
    assert phony
    assert set(explained) <= set(phony[1].replace("\\", " ").split())


def test_windows_batch_file_has_its_targets() -> None:
    batch = (ROOT / "make.bat").read_bytes().decode("ascii")
    assert "\n" not in batch.replace("\r\n", "")
    labels = re.findall(r"^:([a-z-]+)\r$", batch, re.M)
    assert set(WINDOWS_TARGETS) <= set(labels)
    called = re.findall(r"call :([a-z-]+)", batch)
    assert set(called) <= set(labels)
    assert 'call "%~dp0make.bat" start' in (ROOT / "start.bat").read_bytes().decode("ascii")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Replace the programs of the unit by one that exists, because systemd looks for them."""
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


def test_unit_waits_long_enough_for_a_stop_after_a_reload() -> None:
    advised = re.search(
        r"^GRACEFUL_TIMEOUT_SECONDS=(\d+)", (ROOT / "docs/deploy.md").read_text("utf-8"), re.M
    )
    waits = re.search(r"^TimeoutStopSec=(\d+)", UNIT.read_text("utf-8"), re.M)
    assert advised
    assert waits
    assert int(waits[1]) > 2 * int(advised[1])


def test_image_copies_only_files_that_exist() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text("utf-8")
    copied = [
        name for line in re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.M) for name in line.split()
    ]
    allowed = re.findall(r"^!(.+)$", (ROOT / "deploy/Dockerfile.dockerignore").read_text("utf-8"), re.M)
    assert set(copied) == set(allowed)
    assert all((ROOT / name).exists() for name in copied)
    assert dockerfile.index("USER gateway") < dockerfile.index("CMD [")
