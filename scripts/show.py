#!/usr/bin/env python3
"""Show what is set up (`info`), or the models of the running gateway (`models`). Behind `make info`, `make models`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from gateway.settings import VERSION, Settings, SettingsError, load  # noqa: E402  the project is not installed

PACKAGES = ("Flask", "gevent", "gunicorn", "flask-smorest", "marshmallow")
EVERYWHERE = ("0.0.0.0", "::", "")


def url_of(settings: Settings) -> str:
    """Where the gateway answers on this machine."""
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


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
    keys = settings.environ.get("API_KEYS", "")
    headers = {"Authorization": f"Bearer {keys.split(',')[0].strip()}"} if keys else {}
    url = f"{url_of(settings)}/v1/models"
    # No proxies: the gateway is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as response:
            listed = json.load(response)["data"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{url} answered {error.code}: {error.read().decode(errors='replace').strip()}")
    except OSError as error:
        sys.exit(f"{url} does not answer ({error}). Is the gateway running? make start")
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
