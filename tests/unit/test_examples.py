"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import gateway.dialects
import gateway.schemas


def module_names() -> list[str]:
    packages = [gateway.dialects, gateway.schemas]
    found = [
        name
        for package in packages
        for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return ["gateway.errors", "gateway.turn", *found]


@pytest.mark.parametrize("name", module_names())
def test_examples_in_docstrings_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
