"""Test suites of other projects pass against the gateway, the real CLI and a model that does what they ask for."""

import json
import shutil
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import Note
from tests.clients.installs import RUN_SECONDS, clean_environ, npm_program, pypi_version, python_of, run
from tests.clients.suites.deviations import DEVIATIONS
from tests.clients.suites.obliging_model import obliging_model
from tests.clients.suites.running import HERE, Outcomes, run_pytest, source_of
from tests.standin import StandIn
from tests.support.client_bodies import PDF
from tests.support.documented_parameters import documented
from tests.support.gateway import Gateway
from tests.support.pictures import screenshot

MODEL = "claude-haiku-4-5-20251001"
#: The tests for loose clients check less, and the ones for aiohttp check the same. The others replace the server.
LEFT_OUT = " and ".join(
    f"not {word}" for word in ("loose", "aiohttp", "content", "download", "results", "path_params")
)
#: The gateway has no public catalog with prices, which this check would read.
PROVIDER_CHECKS_WITHOUT_OBJECT = {"catalog.declared-v2"}
#: The tests of resources that the gateway serves, below `tests/api_resources` of the source distributions.
API_TESTS = {
    "openai": [
        "test_models.py", "chat", "test_completions.py", "test_responses.py", "responses", "beta/test_responses.py",
        "test_files.py", "test_batches.py", "test_conversations.py", "conversations",
    ],
    "anthropic": [
        "test_models.py", "test_messages.py", "messages", "test_files.py", "beta/test_models.py",
        "beta/test_messages.py", "beta/messages", "beta/test_files.py",
    ],
}  # fmt: skip


@pytest.fixture
def suite_gateway(keeping_gateway: Gateway, standin: StandIn) -> Iterator[Gateway]:
    """Return a gateway whose model is the obliging one. Assert afterwards that no request broke the API's rules."""
    standin.default(obliging_model)
    yield keeping_gateway
    assert not standin.script_errors


def assert_as_known(suite: str, outcomes: Outcomes) -> None:
    """Assert that exactly the known deviations fail, and print the counts."""
    print(f"{suite}: {len(outcomes.passed)} passed, {len(outcomes.failed)} failed")
    unexpected = outcomes.unexpected(DEVIATIONS[suite])
    assert not unexpected, "\n".join(unexpected)


@pytest.mark.clients
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    ("name", "dialect"),
    [("ChatOpenAI", "chat"), ("ChatOpenAIResponses", "responses"), ("ChatAnthropic", "messages")],
)
def test_langchain_standard_tests_pass(
    name: str, dialect: str, suite_gateway: Gateway, tmp_path: Path, matrix_cell: Note
) -> None:
    matrix_cell("LangChain", pypi_version("langchain_suite", "langchain-tests"), dialect, "own tests")
    (tmp_path / "sample.png").write_bytes(screenshot(400, 300))
    (tmp_path / "sample.pdf").write_bytes(b64decode(PDF))
    outcomes = run_pytest(
        "langchain",
        ["--noconftest", "--import-mode=importlib", f"{HERE / 'langchain_chat_models.py'}::Test{name}"],
        tmp_path,
        tmp_path,
        GATEWAY_URL=suite_gateway.url,
        SAMPLES=str(tmp_path),
        LANGSMITH_TRACING="false",
    )
    assert_as_known("langchain", outcomes)


@pytest.mark.clients
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("sdk", "base"), [("openai", "/v1"), ("anthropic", "")])
def test_api_tests_of_sdk_pass(
    sdk: str, base: str, suite_gateway: Gateway, tmp_path: Path, matrix_cell: Note
) -> None:
    version = pypi_version(f"{sdk}_suite", sdk)
    matrix_cell(f"{sdk}-python", version, "all", "own tests")
    refusals = tmp_path / "refusals.txt"
    outcomes = run_pytest(
        sdk,
        [
            "-p",
            "sensible_requests",
            "-k",
            LEFT_OUT,
            "--timeout=120",
        ]
        + [f"tests/api_resources/{name}" for name in API_TESTS[sdk]],
        source_of(sdk, version),
        tmp_path,
        TEST_API_BASE_URL=f"{suite_gateway.url}{base}",
        SUITE_SDK=sdk,
        SUITE_REFUSALS=str(refusals),
        SUITE_MODEL=MODEL,
    )
    assert_as_known(sdk, outcomes)
    for line in refusals.read_text("utf-8").splitlines():
        path, parameter = line.split()
        _, refused = documented()[base + path.partition("?")[0]]
        assert parameter in refused, line


@pytest.mark.clients
@pytest.mark.timeout(2400)
@pytest.mark.skipif(sys.version_info < (3, 11), reason="provider-check needs Python 3.11")
def test_provider_check_passes(suite_gateway: Gateway, tmp_path: Path, matrix_cell: Note) -> None:
    matrix_cell(
        "provider-check", pypi_version("provider_check", "trustedrouter-provider-check"), "chat", "own tests"
    )
    program = python_of("provider_check").with_name("trustedrouter-provider-check")
    report = tmp_path / "report.json"
    options = [
        "--base-url",
        f"{suite_gateway.url}/v1",
        "--model",
        MODEL,
        "--tier",
        "5",
        "--json",
        str(report),
    ]
    run([str(program), *options], 600, clean_environ(tmp_path))
    statuses = {check["id"]: check["status"] for check in json.loads(report.read_text("utf-8"))["checks"]}
    assert {name for name, status in statuses.items() if status != "pass"} == PROVIDER_CHECKS_WITHOUT_OBJECT


# This suite is small enough for `make test`.
@pytest.mark.skipif(shutil.which("npm") is None, reason="compatcanary needs npm")
def test_compatcanary_passes(gateway: Gateway, standin: StandIn, tmp_path: Path) -> None:
    standin.default(obliging_model)
    options = ["--base-url", f"{gateway.url}/v1", "--model", MODEL, "--api-key", "any", "--fail-on", "any"]
    report = run(
        [*npm_program("compatcanary", "compatcanary"), "scan", *options], RUN_SECONDS, clean_environ(tmp_path)
    )
    assert "Summary: 7 passed, 0 warned, 0 failed" in report
