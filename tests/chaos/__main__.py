"""Disturb a gateway at random, and print a table of the results: `make chaos ARGS="--seconds 600 --seed 7"`."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.disturbances import run_chaos
from tests.chaos.models import MODELS


def main() -> int:
    """Run the chaos and print its table. Return 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    parser.add_argument(
        "--cli", choices=MODELS, default="scripted", help="the real one has a stand-in for the API"
    )
    parser.add_argument(
        "--servers", action="store_true", help="use PostgreSQL and Redis, and disturb them too"
    )
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as folder:
        results = run_chaos(
            Path(folder), options.seconds, options.seed, cli=options.cli, with_servers=options.servers
        )
    print(f"{'disturbance':32} {'tried':>6} {'held':>6}")
    for name, result in results.items():
        print(f"{name:32} {result.tried:6} {result.held:6}  {result.failure}")
    return 0 if all(result.tried == result.held for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
