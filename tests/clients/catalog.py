"""All clients that are run as programs: the lists `CLIENTS` of the modules in `tests/clients/programs`."""

import importlib
import pkgutil

from tests.clients import programs
from tests.clients.client import Client


def all_clients() -> list[Client]:
    """Return the clients of all modules, in the order of the modules' names."""
    modules = [
        importlib.import_module(f"{programs.__name__}.{found.name}")
        for found in pkgutil.iter_modules(programs.__path__)
    ]
    return [client for module in modules for client in module.CLIENTS]
