"""A suite's outcomes are compared with the known deviations in both directions."""

from pathlib import Path

import pytest

from tests.clients.suites.running import Outcomes, outcomes_in

OUTCOMES = Outcomes(frozenset({"a.test_one", "a.test_two"}), {"b.test_one[x]": "no", "b.test_two[x]": "no"})


@pytest.mark.parametrize(
    ("deviations", "unexpected"),
    [
        (["b.*"], []),
        (["b.test_one[x]"], ["FAILED b.test_two[x]: no"]),
        (["b.*", "a.test_one"], ["NO DEVIATION a.test_one"]),
        (["*.test_one*", "b.test_two*"], ["NO DEVIATION *.test_one*"]),
        (["b.*", "c.*"], ["NO DEVIATION c.*"]),
    ],
)
def test_failures_and_deviations_have_to_match(deviations: list[str], unexpected: list[str]) -> None:
    assert OUTCOMES.unexpected(dict.fromkeys(deviations, "a reason")) == unexpected


def test_report_is_read_without_skipped_tests(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite>
        <testcase classname="tests.api_resources.m.T" name="ok"/>
        <testcase classname=".T" name="skipped"><skipped/></testcase>
        <testcase classname=".T" name="failed"><failure message="1 &lt; 2&#10;more"/></testcase>
        </testsuite></testsuites>"""
    )
    assert outcomes_in(report) == Outcomes(frozenset({"m.T.ok"}), {"T.failed": "1 < 2"})
