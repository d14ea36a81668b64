"""Read settings from the environment and from a file, and name the places of wrong ones.

>>> nearest_name("REQUIRE_AUHT", ["PORT", "REQUIRE_AUTH"])
'REQUIRE_AUTH'
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import Field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from dotenv import dotenv_values
from environs import Env, EnvValidationError

from gateway.setting_fields import read_setting

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)")
_OWN = re.compile(
    r"CLAUDE_CODE_API_ENV_FILE|CLAUDE_GATEWAY_HOME|PROMETHEUS_MULTIPROC_DIR|GUNICORN_CMD_ARGS|PYTHON\w+|LD_\w+"
)
_SCRIPTS = ("API_KEY", "BASE_URL")  # of `make test-chat` and others; in a file, they are mistakes
_ALIKE_IN_FILE, _ALIKE = 0.6, 0.85  # the environment has names of other programs


def read_settings(
    declared: Sequence[Field[Any]], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str], str]:
    """Return the values of the valid settings, the whole environment with the file, and the problem with the others.

    `environ` must be the process's own environment.
    """
    file, sources = file_of(environ), find_sources(environ)
    env = Env(eager=False)
    env.read_env(file, recurse=False)
    values = {one.name: read_setting(env, one) for one in declared}
    from_file = {name: value for name, value in dotenv_values(file).items() if value is not None}
    merged = from_file | dict(environ)
    try:
        env.seal()
    except EnvValidationError as error:
        messages = cast("Mapping[str, Iterable[str]]", error.error_messages)  # environs leaves it untyped
        wrong = [one for one in declared if one.name.upper() in messages]
        faults = (_explain(one, merged, messages[one.name.upper()], sources) for one in wrong)
        valid = {one.name: values[one.name] for one in declared if one not in wrong}
        return valid, merged, f"Bad settings. {'; '.join(faults)}"
    return values, merged, ""


def file_of(environ: Mapping[str, str]) -> str:
    """Return the path of the settings file."""
    return environ.get("CLAUDE_CODE_API_ENV_FILE") or ".env"


def find_sources(environ: Mapping[str, str]) -> "Sources":
    """Return the places of settings in this environment and in the file that it names."""
    return Sources(file_of(environ), environ)


class Sources:
    """The lines of a settings file, and the environment, which takes precedence and may have the file's values."""

    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self._values = dotenv_values(file)
        self._lines = _find_lines(file)

    def place(self, name: str) -> str:
        """Return the place where a setting gets its value: for example `.env, line 3` or `the environment`."""
        value = self._values.get(name)
        if name not in self._lines or self._environ.get(name, value) != value:
            return "the environment"
        return f"{self._file}, line {self._lines[name]}"

    def find_unknown(self, names: Collection[str], is_other: Callable[[str], object]) -> list[str]:
        """Return a sentence for each unknown name that looks like a setting.

        `names` are the names of the settings, and `is_other` is true for variables of other programs.
        """
        found = []
        for name in [*self._lines, *sorted(self._environ.keys() - self._lines.keys())]:
            in_file = name in self._lines
            if name in names or _OWN.fullmatch(name) or is_other(name) or (name in _SCRIPTS and not in_file):
                continue
            nearest = nearest_name(name, names, _ALIKE_IN_FILE if in_file else _ALIKE)
            if in_file or nearest:
                advice = f" Did you mean {nearest}?" if nearest else ""
                found.append(f"{self.place(name)}: {name} is not a setting.{advice}")
        return found


def nearest_name(name: str, names: Collection[str], likeness: float = _ALIKE_IN_FILE) -> str | None:
    """Return the name that is most like this one; None if none is alike. `likeness` is between 0 and 1."""
    return next(iter(get_close_matches(name.upper(), names, 1, likeness)), None)


def _find_lines(file: str) -> Mapping[str, int]:
    """Return the number of the last line that sets each name."""
    try:
        text = Path(file).read_text("utf-8", "replace")
    except OSError:
        return {}
    lines = ((number, _LINE.match(line)) for number, line in enumerate(text.splitlines(), 1))
    return {found[1]: number for number, found in lines if found}


def _explain(one: Field[Any], environ: Mapping[str, str], texts: Iterable[str], sources: Sources) -> str:
    name = one.name.upper()
    shown = environ.get(name, "") if one.repr else "(not shown)"
    return f"{sources.place(name)}: {name}={shown}: {' '.join(texts)}"
