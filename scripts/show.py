#!/usr/bin/env python3
"""Show what is set up (`info`), or the models of the running gateway (`models`). Behind `make info`, `make models`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from gateway.settings import VERSION, Settings, SettingsError, load  # noqa: E402  the project is not installed
from gateway.store.backends import hide_password  # noqa: E402
from scripts.client import Client, NoAnswer, Refused, url_of  # noqa: E402

URLS = ("database_url", "rate_limit_storage_url")  # may have a password
PACKAGES = ("Flask", "gevent", "gunicorn", "flask-smorest", "marshmallow")


def info(settings: Settings) -> None:
    """Versions, paths and settings; secrets are left out."""
    rows = [("gateway", VERSION), ("Python", f"{platform.python_version()}, {sys.executable}")]
    rows += [(name, version(name)) for name in PACKAGES]
    rows += [("project", str(PROJECT)), ("address", url_of(settings))]
    for field in dataclasses.fields(settings):
        if field.name != "environ":
            rows.append((field.name.upper(), shown(settings, field.name, field.repr)))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}} {value}")
    # In a process of its own: it has its own opinion on what to print and how to end.
    sys.stdout.flush()
    subprocess.run([sys.executable, PROJECT / "scripts/get_claude.py", "--check"], check=False)


def shown(settings: Settings, name: str, is_open: bool) -> str:
    """A setting as one writes it; of those that are not open only what is no secret."""
    value = getattr(settings, name)
    if value is None or value == ():
        return "-"
    if name in URLS:
        return hide_password(value)
    if not is_open:
        return f"{len(value)}, not shown" if isinstance(value, tuple) else "not shown"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


def models(settings: Settings) -> None:
    """The running gateway's models. Exits with a hint when it is not running or refuses the key."""
    try:
        listed = Client(settings, timeout=10).get("/v1/models")["data"]
    except (NoAnswer, Refused) as error:
        sys.exit(f"The models cannot be listed. {error}")
    for model in listed:
        print(f"{model['id']:40} {model.get('owned_by', '')}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["info", "models"])
    what = parser.parse_args().what
    os.chdir(PROJECT)
    try:
        settings = load()
    except SettingsError as error:
        sys.exit(str(error))
    {"info": info, "models": models}[what](settings)


if __name__ == "__main__":
    main()
