"""Scripts of SDKs, run with the packages that are pinned in this folder."""

import shutil
from pathlib import Path

from tests.clients.installs import HOME, RUN_SECONDS, clean_environ, node_modules_of, python_of, run

HERE = Path(__file__).parent
NODE_MODULES = HOME / "node/node_modules"

# The clients talk to the gateway only: no telemetry, no downloads of price lists.
QUIET = {
    "AGENTS_DISABLE_SPLASH": "1",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NODE_NO_WARNINGS": "1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "PYTHONWARNINGS": "ignore",
}


def python_for(name: str) -> Path:
    """Return the Python of an environment with `requirements-NAME.txt`."""
    return python_of(name, HERE / f"requirements-{name}.txt")


def node() -> str:
    """Install the packages of `package.json` and return the path of Node."""
    node_modules_of("node", HERE)
    return shutil.which("node") or "node"


def seen_by(command: list[str]) -> str:
    """Run the script of a client and return its output. Of this environment, the script only gets PATH."""
    return run(command, RUN_SECONDS, clean_environ(HOME, NODE_PATH=str(NODE_MODULES), **QUIET))
