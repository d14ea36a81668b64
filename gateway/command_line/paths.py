"""Paths that a user types are relative to the folder that the command was started in, not to the gateway's folder."""

from pathlib import Path
from typing import Any

import click


class UserPath(click.ParamType[Path]):
    """A path, made absolute. The `obj` of the outermost context is the folder that the command was started in."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the absolute path."""
        started_in = ctx.find_root().obj if ctx else None
        return (started_in or Path.cwd()) / Path(value).expanduser()
