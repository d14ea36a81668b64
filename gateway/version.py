"""The version of this gateway, from the tags of a clone or from the installed package.

Tags look like `v1.1.0`. Five commits after it, a clone has the version `1.1.0.post5+g0a1b2c3`. Without tags, and
without git, it has the version of the last release.
"""

import re
import subprocess
from importlib import metadata

from gateway.home import IS_CLONE, PROJECT

#: The last release that CHANGELOG.md lists.
RELEASED = "1.0.0"
PACKAGE = "claude-code-gateway"
GIT_SECONDS = 5.0


def parse_description(text: str) -> str | None:
    """Return the version that `git describe` tells; None if it names no tag.

    >>> parse_description("v1.1.0-5-g0a1b2c3"), parse_description("v1.1.0-0-g0a1b2c3"), parse_description("0a1b2c3")
    ('1.1.0.post5+g0a1b2c3', '1.1.0', None)
    """
    found = re.fullmatch(r"v(\d[\w.]*)-(\d+)-(g[0-9a-f]+)", text.strip())
    if found is None:
        return None
    release, distance, commit = found.groups()
    return release if distance == "0" else f"{release}.post{distance}+{commit}"


def find_version() -> str:
    """Return the version of the code that runs."""
    if IS_CLONE:
        return (parse_description(_describe_commit()) if (PROJECT / ".git").exists() else None) or RELEASED
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:  # the code was copied here
        return RELEASED


def _describe_commit() -> str:
    # git refuses the clone of another user, for example root's, unless it is told that this one is safe.
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "-C",
        str(PROJECT),
        "describe",
        "--tags",
        "--long",
        "--match=v[0-9]*",
    ]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


VERSION = find_version()
