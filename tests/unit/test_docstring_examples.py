"""The examples in docstrings (`>>>`) give the results that they show.

Examples in `store`, `answering` and `api` need a database or an app: they illustrate, and are not run.
"""

import doctest
import importlib

import pytest

from tests.support.gateway import ROOT

ILLUSTRATED = ("gateway.store", "gateway.answering", "gateway.api")
NAMES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for folder in ("gateway", "bench", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]
MODULES = [name for name in NAMES if not name.startswith(ILLUSTRATED)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_are_true(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0
