"""One gateway for all tests of the reference's contract, and a client with a key of its own for each test."""

import itertools
import json
from collections.abc import Iterator

import pytest

from tests.ops.reference.contract import (
    ALLOWED_ORIGIN,
    API_KEYS,
    BURST,
    CLAUDE_API_KEY,
    LOG_BACKUP_COUNT,
    LOG_MAX_BYTES,
    MODELS,
    REQUESTS_PER_MINUTE,
)
from tests.support.api_client import Api
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.scripted import ScriptedCli


@pytest.fixture(scope="package")
def cli(tmp_path_factory: pytest.TempPathFactory) -> ScriptedCli:
    """Return the scripted CLI, whose `home` also holds the gateway's files."""
    return ScriptedCli(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="package")
def reference_gateway(cli: ScriptedCli) -> Iterator[Gateway]:
    """Return a gateway that reads a settings file as the reference writes it, quotes and JSON lists included."""
    models, file = cli.home / "models.json", cli.home / "reference.env"
    models.write_text(json.dumps(MODELS))
    settings = {
        "REQUIRE_AUTH": "true",
        "API_KEYS": ",".join(API_KEYS),
        "CLAUDE_API_KEY": CLAUDE_API_KEY,
        "CLAUDE_BINARY_PATH": str(cli.path),
        "CLAUDE_CODE_API_MODELS_PATH": str(models),
        "DEFAULT_MODEL": "mine",
        "MAX_CONCURRENT_SESSIONS": "5",
        "MAX_PROJECT_SIZE_MB": "1",
        "ALLOWED_ORIGINS": json.dumps([ALLOWED_ORIGIN, "https://b.example"]),
        "RATE_LIMIT_BURST": str(BURST),
        "STREAMING_TIMEOUT_SECONDS": "2",
        "LOG_FILE_PATH": str(cli.home / "file.log"),
        "LOG_MAX_BYTES": str(LOG_MAX_BYTES),
        "LOG_BACKUP_COUNT": str(LOG_BACKUP_COUNT),
        **NOTHING_KEPT,
    }
    file.write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    environ = {
        "CLAUDE_CODE_API_ENV_FILE": str(file),
        "LOG_FORMAT": "json",
        "HOME": str(cli.home),
        "RATE_LIMIT_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
        "PROJECT_ROOT": str(cli.home / "projects"),
    }
    gateway = Gateway(environ)
    gateway.await_warm(1)
    yield gateway
    gateway.close()


@pytest.fixture(scope="package")
def _unused_keys() -> Iterator[str]:
    return itertools.chain(API_KEYS)


@pytest.fixture
def key(_unused_keys: Iterator[str]) -> str:
    """Return an API key that no other test uses."""
    return next(_unused_keys)


@pytest.fixture
def api(reference_gateway: Gateway, key: str) -> Api:
    """Return a client of the gateway with that key."""
    return reference_gateway.api.with_key(key)
