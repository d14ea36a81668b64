"""The files in deploy/ for Compose, Helm, launchd, Prometheus and Grafana, as far as they can be checked here."""

import json
import plistlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import Settings
from gateway.version import RELEASED
from tests.clients.installs import python_of, run
from tests.support.gateway import ROOT
from tests.support.nginx import PROGRAM, SITE, needs_nginx
from tests.support.wide import wide

DEPLOY = ROOT / "deploy"
FULL = (DEPLOY / "compose.full.yml").read_text("utf-8")
KEYS = {"secrets": {"API_KEYS": "a-key", "CLAUDE_API_KEY": "sk-ant-x"}}
SEVERAL = {
    "replicas": 3,
    "existingSecret": "mine",
    "settings": {"DEFAULT_MODEL": "sonnet"},
    "storage": {"className": "fast"},
    "ingress": {"enabled": True, "tlsSecret": "tls"},
    "serviceMonitor": {"enabled": True, "keySecret": {"name": "metrics"}},
    "imagePullSecrets": [{"name": "registry"}],
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"operator": "Exists"}],
}
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "REQUIRE_AUTH needs a key"),
    ({**KEYS, "replicas": 2}, "needs a PostgreSQL database"),
    ({**KEYS, "replica": 2}, "additional properties 'replica' not allowed"),
    ({**KEYS, "settings": {"MAX_PROCESSES": 8}}, "got number, want string"),
)


def seconds_of(pattern: str, file: str) -> int:
    found = re.search(pattern, (DEPLOY / file).read_text("utf-8"))
    assert found, file
    return int(found[1])


def test_all_services_wait_for_running_answers() -> None:
    wanted = {
        "compose.yml": r"stop_grace_period: (\d+)s",
        "compose.full.yml": r"stop_grace_period: (\d+)s",
        "claude-gateway.service": r"TimeoutStopSec=(\d+)",
        "helm/claude-gateway/templates/statefulset.yaml": r"terminationGracePeriodSeconds: (\d+)",
        "launchd/claude-gateway.plist": r"ExitTimeOut</key>\s*<integer>(\d+)",
    }
    for file, pattern in wanted.items():
        assert seconds_of(pattern, file) > 2 * Settings().graceful_timeout_seconds, file


def test_launchd_starts_the_gateway_and_keeps_it_running() -> None:
    job = plistlib.loads((DEPLOY / "launchd/claude-gateway.plist").read_bytes())
    assert job["ProgramArguments"][1:] == ["serve"]
    assert job["RunAtLoad"] is True
    assert job["KeepAlive"] == {"SuccessfulExit": False}
    assert job["SoftResourceLimits"]["NumberOfFiles"] >= 4096


@needs_nginx
def test_nginx_of_compose_accepts_its_configuration(tmp_path: Path) -> None:
    """Run the command of the container on the real file, with addresses in place of the gateways' names."""
    _, _, script = yaml.safe_load(FULL)["services"]["nginx"]["command"]
    site = tmp_path / "site.conf"
    moved = {"/etc/claude-gateway.conf": str(SITE), "/etc/nginx/conf.d/default.conf": str(site)}
    for path, replacement in moved.items():
        script = script.replace(path, replacement)
    subprocess.run(["sh", "-c", script.partition("&& exec nginx")[0]], check=True)
    text = site.read_text("utf-8")
    assert "server gateway-1:8000; server gateway-2:8000;" in text
    assert "server 127.0.0.1:8000;" not in text
    assert "server_name _;" in text
    text = text.replace("gateway-1:8000", "127.0.0.1:8001").replace("gateway-2:8000", "127.0.0.1:8002")
    site.write_text(text)
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ include {site}; }}\n")
    checked = subprocess.run(
        [str(PROGRAM), "-t", "-c", str(main), "-e", "stderr"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_mounted_files_exist_and_are_where_the_programs_look() -> None:
    for file in ("compose.yml", "compose.full.yml"):
        sources = re.findall(r"^ +- \./([\w./-]+):", (DEPLOY / file).read_text("utf-8"), re.M)
        assert [name for name in sources if not (DEPLOY / name).exists()] == []
    dashboards = (DEPLOY / "grafana/provisioning/dashboards/claude-gateway.yml").read_text("utf-8")
    folder = re.search(r"path: (\S+)", dashboards)
    assert folder
    assert f"./grafana.json:{folder[1]}/claude-gateway.json:ro" in FULL
    scraped = re.search(r"targets: \[(.*)\]", (DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert scraped
    assert re.findall(r'"(.*?):8000"', scraped[1]) == re.findall(r"^  (gateway-\d): ", FULL, re.M)


def test_chart_deploys_the_last_release() -> None:
    chart = (DEPLOY / "helm/claude-gateway/Chart.yaml").read_text("utf-8")
    assert f'appVersion: "{RELEASED}"' in chart


@pytest.fixture(scope="module")
def rendered() -> list[dict[str, Any]]:
    """Return the result of the chart for each of the values."""
    python = python_of("deploy", ROOT / "tests/ops/pins/deploy.txt")
    values = [KEYS, SEVERAL, *(one for one, _ in WRONG)]
    program = str(ROOT / "tests/ops/deploy_program.py")
    found: list[dict[str, Any]] = json.loads(
        run([str(python), program, str(DEPLOY), json.dumps(values)], 120)
    )
    return found


@wide
@pytest.mark.timeout(600)
def test_chart_renders_documents_that_kubernetes_accepts(rendered: list[dict[str, Any]]) -> None:
    single, several = ({one["kind"]: one for one in result["documents"]} for result in rendered[:2])
    assert single.keys() == {"ConfigMap", "Secret", "Service", "StatefulSet"}
    assert several.keys() == {"ConfigMap", "Service", "StatefulSet", "Ingress", "ServiceMonitor"}
    pod = several["StatefulSet"]["spec"]["template"]["spec"]
    assert {"secretRef": {"name": "mine"}} in pod["containers"][0]["envFrom"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    assert (
        several["Ingress"]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    )
    assert "exec -it demo-claude-gateway-2 --" in rendered[1]["notes"]
    names = {*single["ConfigMap"]["data"], *single["Secret"]["stringData"]}
    assert names <= {name.upper() for name in Settings.__dataclass_fields__}


@wide
def test_chart_refuses_values_that_cannot_work(rendered: list[dict[str, Any]]) -> None:
    for result, (_, words) in zip(rendered[2:], WRONG, strict=True):
        assert words in result["error"]
