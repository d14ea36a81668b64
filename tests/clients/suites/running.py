"""Run a foreign test suite in an environment of its own, and compare its outcomes with the known deviations."""

import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.clients.installs import HOME, INSTALL_SECONDS, clean_environ, install_once, python_of, run

HERE = Path(__file__).parent
SUITE_SECONDS = 1500


@dataclass(frozen=True)
class Outcomes:
    """The names of the tests of a suite, and for each test that failed its error."""

    passed: frozenset[str]
    failed: Mapping[str, str]

    def unexpected(self, deviations: Mapping[str, str]) -> list[str]:
        """Return a line for each failure that is not a known deviation, and for each deviation that is gone."""
        failures = [
            f"FAILED {name}: {error}"
            for name, error in self.failed.items()
            if not any(matches(pattern, name) for pattern in deviations)
        ]
        return failures + [f"NO DEVIATION {pattern}" for pattern in deviations if self._is_gone(pattern)]

    def _is_gone(self, pattern: str) -> bool:
        does_pass = any(matches(pattern, name) for name in self.passed)
        return does_pass or not any(matches(pattern, name) for name in self.failed)


def matches(pattern: str, name: str) -> bool:
    """Return whether a name is the pattern, in which `*` stands for any text.

    >>> matches("test_models.*_delete[*", "test_models.TestModels.test_method_delete[strict]")
    True
    """
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def run_pytest(suite: str, arguments: Sequence[str], folder: Path, scratch: Path, **environ: str) -> Outcomes:
    """Run pytest in a folder with the packages of a suite, and return the outcomes.

    The settings of the suite's own project do not count. Raise AssertionError with pytest's output if it
    ran no test.
    """
    report = scratch / "report.xml"
    (scratch / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    loops = [f"asyncio_default_{kind}_loop_scope=session" for kind in ("fixture", "test")]
    command = [str(python_of(f"{suite}_suite")), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line"]
    command += ["-c", str(scratch / "pytest.ini"), "--rootdir", str(folder), f"--junitxml={report}"]
    command += [word for loop in loops for word in ("-o", loop)]
    home = scratch / "home"
    home.mkdir()
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=clean_environ(home, PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1", **environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=SUITE_SECONDS,
    )
    if not report.exists() or done.returncode not in (0, 1):
        raise AssertionError(done.stdout[-4000:] + done.stderr[-4000:])
    return outcomes_in(report)


def outcomes_in(report: Path) -> Outcomes:
    """Read the outcomes of a JUnit report. Skipped tests are left out."""
    passed, failed = set(), {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}".removeprefix("tests.api_resources.").lstrip(".")
        problem = case.find("failure")
        problem = case.find("error") if problem is None else problem
        if problem is not None:
            failed[name] = (problem.get("message") or "").splitlines()[0][:300]
        elif case.find("skipped") is None:
            passed.add(name)
    return Outcomes(frozenset(passed), failed)


def source_of(package: str, version: str) -> Path:
    """Return the folder of a package's source distribution on PyPI, which has its tests."""
    name = f"{package}-{version}"

    def build(home: Path) -> None:
        home.mkdir()
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        run([*pip, "--no-binary", ":all:", "-d", str(home), f"{package}=={version}"], INSTALL_SECONDS)
        with tarfile.open(home / f"{name}.tar.gz") as archive:
            archive.extractall(home, filter="data")

    install_once(f"{name}-source", name, build)
    return HOME / f"{name}-source" / name
