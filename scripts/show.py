#!/usr/bin/env python3
"""Show the installation, or the models of the running gateway, for `make info` and `make models`."""

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

from gateway.command_line.client import Client, NoAnswer, Refused, url_of  # noqa: E402
from gateway.settings import Settings, SettingsError, load  # noqa: E402  the project is not installed
from gateway.store.backends import hide_password  # noqa: E402
from gateway.version import VERSION  # noqa: E402

URLS = ("database_url", "rate_limit_storage_url")  # may contain a password
PACKAGES = ("Flask", "gevent", "gunicorn", "flask-smorest", "marshmallow")


def show_info(settings: Settings) -> None:
    """Print versions, paths and settings, without secrets."""
    rows = [("gateway", VERSION), ("Python", f"{platform.python_version()}, {sys.executable}")]
    rows += [(name, version(name)) for name in PACKAGES]
    rows += [("project", str(PROJECT)), ("address", url_of(settings))]
    for field in dataclasses.fields(settings):
        if field.name != "environ":
            rows.append((field.name.upper(), format_setting(settings, field.name, field.repr)))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}} {value}")
    # In a process of its own, because the script prints its result and sets the exit code.
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "gateway.command_line.get_claude", "--check"], check=False)


def format_setting(settings: Settings, name: str, is_public: bool) -> str:
    """Return a setting in the form of `.env`. Secrets are hidden."""
    value = getattr(settings, name)
    if value is None or value == ():
        return "-"
    if name in URLS:
        return hide_password(value)
    if not is_public:
        return f"{len(value)}, not shown" if isinstance(value, tuple) else "not shown"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


def show_models(settings: Settings) -> None:
    """Print the models of the running gateway. Exit with a hint if it is not running or rejects the key."""
    try:
        listed = Client(settings, timeout=10).get("/v1/models")["data"]
    except (NoAnswer, Refused) as error:
        sys.exit(f"The models could not be listed. {error}")
    for model in listed:
        print(f"{model['id']:40} {model.get('owned_by', '')}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["info", "models"])
    command = parser.parse_args().command
    os.chdir(PROJECT)
    try:
        settings = load()
    except SettingsError as error:
        sys.exit(str(error))
    {"info": show_info, "models": show_models}[command](settings)


if __name__ == "__main__":
    main()
