"""The alert rules for Prometheus and the Grafana dashboard in deploy/ are valid, and the rules fire when they should.

https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus-alerts.yml"
SEVERITIES = ("critical", "warning", "info")


def read_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize("rule", read_rules(), ids=lambda rule: rule["alert"])
def test_alert_rule_is_valid(rule: dict[str, Any]) -> None:
    assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert rule["labels"]["severity"] in SEVERITIES
    promql_parser.parse(rule["expr"])
    promql_parser.parse_duration(rule.get("for", "1m"))
    assert set(re.findall(r"\$(\w+)", rule["annotations"]["summary"])) <= {"value", "labels"}


def test_names_of_alert_rules_are_unique() -> None:
    names = [rule["alert"] for rule in read_rules()]
    assert len(set(names)) == len(names)


def test_expressions_of_the_grafana_dashboard_are_valid() -> None:
    board = json.loads((ROOT / "deploy/grafana.json").read_text("utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert expressions
    for expression in expressions:
        promql_parser.parse(re.sub(r"\$__\w+", "5m", expression))


# Series with one sample per minute from 1970 on, and the alerts that they cause

LOGGED_IN, STARTS, WARM = "gateway_logged_in", "gateway_start_failures_total", "gateway_warm"
DISK, BUDGET, CLI = (
    "gateway_disk_used_ratio",
    'gateway_alerts_total{kind="budget"}',
    'gateway_alerts_total{kind="cli"}',
)
WINDOW = '{account="team", window="five_hour"}'
USED, RESET = f"gateway_limit_utilization{WINDOW}", f"gateway_limit_reset_timestamp_seconds{WINDOW}"
READY = 'gateway_account_ready{account="team"}'

#: Per alert: series that cause it, the moment to look, and changes of the series that do not cause it.
FIRING: dict[str, tuple[dict[str, str], str, dict[str, str]]] = {
    "ClaudeGatewayDown": ({}, "3m", {"gateway_processes": "4x10"}),
    "ClaudeGatewayLoggedOut": ({LOGGED_IN: "0x10"}, "2m", {LOGGED_IN: "1x10"}),
    "ClaudeGatewayStartsFail": ({STARTS: "0+1x20", WARM: "0x20"}, "15m", {WARM: "2x20"}),
    "ClaudeGatewayBudgetShareReached": ({BUDGET: "0 0 1x9"}, "5m", {BUDGET: "1x9"}),
    "ClaudeGatewayAccountNotReady": ({READY: "0x10"}, "6m", {READY: "1x10"}),
    "ClaudeGatewayDiskFilling": ({DISK: "0.95x10"}, "6m", {DISK: "0.5x10"}),
    "ClaudeGatewayNewerTestedCli": ({CLI: "0 0 1x9"}, "5m", {CLI: "1x9"}),
    "ClaudeGatewayWindowNearlyUsed": ({USED: "0.85x10", RESET: "600x10"}, "5m", {RESET: "200x10"}),
}
VALUES = {"ClaudeGatewayDiskFilling": "95%", "ClaudeGatewayWindowNearlyUsed": "85%"}


@pytest.mark.wide
def test_rules_fire_when_they_should(tmp_path: Path) -> None:
    """Run Prometheus' own tests of rules. Debian's package prometheus has promtool."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    subprocess.run([promtool, "check", "rules", RULES], check=True, capture_output=True)
    rules = {rule["alert"]: rule for rule in read_rules()}
    assert FIRING.keys() == rules.keys()
    tests = []
    for name, (series, moment, calm) in FIRING.items():
        tests.append(make_test(rules[name], series, moment, is_firing=True))
        tests.append(make_test(rules[name], {**series, **calm}, moment, is_firing=False))
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}), "utf-8")
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def make_test(rule: dict[str, Any], series: dict[str, str], moment: str, *, is_firing: bool) -> Any:
    """Return a test that a rule fires at a moment, or that it does not."""
    labels = dict(re.findall(r'(\w+)="(\w+)"', next(iter(series), "")))
    summary = re.sub(r"\{\{ \$value .*? \}\}", VALUES.get(rule["alert"], ""), rule["annotations"]["summary"])
    summary = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], summary)
    alert = {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": {"summary": summary}}
    expected = {"eval_time": moment, "alertname": rule["alert"], "exp_alerts": [alert] if is_firing else []}
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": inputs, "alert_rule_test": [expected]}
