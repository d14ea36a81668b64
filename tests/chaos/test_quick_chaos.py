"""The quick part of `make chaos`: some disturbances, chosen by a seed."""

from pathlib import Path

import pytest

from tests.chaos.disturbances import run_chaos
from tests.support.wide import wide_except

SECONDS = 3.0
SEED = 3


@pytest.mark.parametrize("cli", wide_except(["scripted", "real"], "scripted"))
def test_gateway_works_as_before_after_every_disturbance(tmp_path: Path, cli: str) -> None:
    results = run_chaos(tmp_path, SECONDS, SEED, cli=cli)
    assert sum(result.tried for result in results.values()) >= 2
    assert {name: result.failure for name, result in results.items() if result.held < result.tried} == {}
