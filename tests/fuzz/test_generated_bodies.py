"""Generated bodies of all dialects: no failure of the gateway, and nothing of a request is lost without a word.

Each body goes over HTTP to a gateway with the real CLI. The request that reaches the model must be what a model of the
plan says, except for what the headers name. `make fuzz` sends 10,000 bodies, always the same ones.
"""

from contextlib import closing

import pytest

from tests.fuzz.running import Runner, answer_of_model, generate
from tests.standin import StandIn
from tests.support.gateway import Gateway

SAMPLE = 6
CHUNK = 200
CHUNKS = 18


def _check(gateway: Gateway, standin: StandIn, seed: int, count: int) -> None:
    standin.default(answer_of_model)
    with closing(Runner(gateway.url, standin)) as runner:
        failures = runner.run(generate(seed, count))
        print(runner.summary)
        assert not failures, runner.report(failures)


def test_sample_of_generated_bodies(keeping_gateway: Gateway, standin: StandIn) -> None:
    _check(keeping_gateway, standin, 0, SAMPLE)


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(1, CHUNKS + 1))
def test_generated_bodies(keeping_gateway: Gateway, standin: StandIn, seed: int) -> None:
    _check(keeping_gateway, standin, seed, CHUNK)
