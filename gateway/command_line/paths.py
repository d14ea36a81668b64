"""Paths that a user types are relative to the folder that the command was started in, not to the gateway's folder."""

from pathlib import Path
from typing import Any

import click

STARTED_IN = Path.cwd()


class UserPath(click.ParamType[Path]):
    """A path from the command line, made absolute."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the absolute path."""
        return STARTED_IN / Path(value).expanduser()
