"""Render the Helm chart and check all files of deploy/ against the schemas of Kubernetes and Compose.

It runs with the packages of tests/ops/pins/deploy.txt. Its arguments are the folder deploy/ and a list of values of the
chart in JSON. It prints a list with the documents of each, or with the error:

    [{"documents": [{"kind": "Service", "metadata": {"name": "demo-claude-gateway"}, …}]}, {"error": "…"}]
"""

import json
import sys
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml
from compose_spec import PyCompose

KUBERNETES = ("1.30", "1.34")
OPERATOR = "monitoring.coreos.com/v1"  # the schema of the Prometheus operator is not Kubernetes' own
ERROR = 2  # the severity of lint's errors and warnings


def render(chart: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return the documents of the chart, or the error. Raise if a document is not valid."""
    try:
        with helm_python.Chart.load(str(chart)) as loaded:
            rendered = loaded.render(values, name="demo", namespace="prod")
    except helm_python.HelmError as error:
        return {"error": str(error)}
    notes = next(text for name, text in rendered.items() if name.endswith("NOTES.txt"))
    texts = [text for name, text in rendered.items() if not name.endswith("NOTES.txt")]
    documents = [document for text in texts for document in yaml.safe_load_all(text) if document]
    for document in documents:
        for version in KUBERNETES if document["apiVersion"] != OPERATOR else ():
            kubernetes_validate.validate(document, version, strict=True)
    return {"documents": documents, "notes": notes}


def main() -> None:
    """Run the command line."""
    deploy, values = Path(sys.argv[1]), json.loads(sys.argv[2])
    for file in deploy.glob("compose*.yml"):
        PyCompose.from_yaml(file.read_text("utf-8"))
    chart = deploy / "helm/claude-gateway"
    found = helm_python.lint(str(chart))
    if found["errors"] or any(one["severity"] >= ERROR for one in found["messages"]):
        sys.exit(f"lint: {found}")
    print(json.dumps([render(chart, one) for one in values]))


if __name__ == "__main__":
    main()
