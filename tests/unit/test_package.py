"""The package that `pip install` builds: its contents, its version and its dependencies."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gateway import version
from gateway.home import find_home
from tests.support.gateway import ROOT

DATA = (
    "gateway/claude/models.json",
    "gateway/gunicorn_conf.py",
    "gateway/api/http/gunicorn_worker.py",
    "gateway/sizing/figures.json",
    "gateway/templates/docs.html",
    "gateway/wsgi.py",
)
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-c", BUILD, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return zipfile.ZipFile(folder / done.stdout.split()[-1])


def test_wheel_has_all_files_of_the_package(wheel: zipfile.ZipFile) -> None:
    files = {name for name in wheel.namelist() if name.startswith("gateway/")}
    listed = subprocess.run(
        ["git", "ls-files", "gateway"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert files >= {name for name in listed.stdout.splitlines() if (ROOT / name).exists()} | {*DATA}
    assert {name.partition("/")[0] for name in wheel.namelist()} == {
        "gateway",
        f"claude_code_gateway-{version.VERSION}.dist-info",
    }


def test_wheel_has_the_console_script(wheel: zipfile.ZipFile) -> None:
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "claude-gateway = gateway.__main__:run" in wheel.read(entry).decode()


def test_package_depends_on_the_pinned_requirements() -> None:
    project = (
        (ROOT / "pyproject.toml").read_text("utf-8").partition("dependencies = [\n")[2].partition("\n]")[0]
    )
    declared = {line.strip().strip('",').replace("'", '"') for line in project.splitlines()}
    lines = (ROOT / "requirements.in").read_text("utf-8").splitlines()
    assert declared == {line for line in lines if line and not line.startswith("#")}


def test_installed_package_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_home({}) == ROOT
    monkeypatch.setattr("gateway.home.IS_CLONE", False)
    assert find_home({}) == Path.home() / ".local/share/claude-gateway"
    assert find_home({"XDG_DATA_HOME": "/data"}) == Path("/data/claude-gateway")
    assert find_home({"CLAUDE_GATEWAY_HOME": "~/gateway"}) == Path.home() / "gateway"


def test_version_without_git_is_the_last_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gateway.version.PROJECT", tmp_path)
    assert version.find_version() == version.RELEASED
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.post\d+\+g[0-9a-f]+)?", version.VERSION)


def test_extra_for_opentelemetry_has_the_versions_of_the_tests() -> None:
    extra = (ROOT / "pyproject.toml").read_text("utf-8").partition("otel = [\n")[2].partition("\n]")[0]
    declared = {line.strip().strip('",') for line in extra.splitlines()}
    tested = set((ROOT / "requirements-dev.in").read_text("utf-8").splitlines())
    assert declared == {line for line in tested if line.startswith("opentelemetry")}
