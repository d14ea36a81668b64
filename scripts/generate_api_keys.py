#!/usr/bin/env python3
"""Print new keys for API_KEYS, one per line, or with --env as a line for `.env`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

# The project is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.store.key_secrets import LENGTH, PREFIX, generate_key

MIN_LENGTH = 16


def at_least(least: int) -> Callable[[str], int]:
    """Return a type for argparse that accepts integers from `least` on."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return int(text)

    return number


def prefix(text: str) -> str:
    """Accept a prefix that is valid in API_KEYS and in HTTP headers."""
    if not text.isascii() or not text.isprintable() or set(text) & set(" ,\"'#$[]"):
        raise argparse.ArgumentTypeError("must be ASCII without spaces, commas, quotes, brackets, # and $")
    return text


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--number", type=at_least(1), default=1, help="number of keys (1)")
    parser.add_argument(
        "-p", "--prefix", type=prefix, default=PREFIX, help=f"beginning of each key ({PREFIX})"
    )
    parser.add_argument(
        "-l",
        "--length",
        type=at_least(MIN_LENGTH),
        default=LENGTH,
        help=f"number of random characters ({LENGTH})",
    )
    parser.add_argument("--env", action="store_true", help="print a line for .env")
    options = parser.parse_args()
    keys = [generate_key(options.prefix, options.length) for _ in range(options.number)]
    print(f"API_KEYS={','.join(keys)}" if options.env else "\n".join(keys))


if __name__ == "__main__":
    main()
