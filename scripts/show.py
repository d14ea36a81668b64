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
from scripts.client import Client, NoAnswer, Refused, url_of  # noqa: E402

PACKAGES = ("Flask", "gevent", "gunicorn", "flask-smorest", "marshmallow")


def info(settings: Settings) -> None:
    """Versions, paths and settings; secrets are left out."""
    rows = [("gateway", VERSION), ("Python", f"{platform.python_version()}, {sys.executable}")]
    rows += [(name, version(name)) for name in PACKAGES]
    rows += [("project", str(PROJECT)), ("address", url_of(settings))]
    for field in dataclasses.fields(settings):
        if field.repr:
            rows.append((field.name.upper(), str(getattr(settings, field.name))))
    for name, value in rows:
        print(f"{name:30} {value}")
    # In a process of its own: it has its own opinion on what to print and how to end.
    sys.stdout.flush()
    subprocess.run([sys.executable, PROJECT / "scripts/get_claude.py", "--check"], check=False)


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
