"""Names of folders and files that clients choose: what can be meant only one way, on every system.

Pure: nothing is looked up. That links lead nowhere is the business of `folders`.
"""

from __future__ import annotations

import re
import unicodedata

from gateway.errors import InvalidRequest

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1024
MAX_FOLDERS = 32

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Separators and what looks like one, what Windows takes for something else, and what stands for broken bytes.
_REFUSED = frozenset('<>:"|?*\\\ufffd\u2044\u2215\u2216\u29f5\u29f8\u29f9')
# Devices of Windows, with any extension. https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL
)


def check_folder_name(name: str, param: str = "path") -> str:
    """`name` if it can be a project's folder: one plain name. Raises InvalidRequest."""
    if not _FOLDER.fullmatch(name):
        raise InvalidRequest(
            f"Invalid '{param}': expected the name of one folder: up to 100 ASCII letters, digits and . _ -, "
            "beginning with a letter or a digit.",
            param=param,
        )
    _check_part(name, param)
    return name


def split_file_path(path: str, param: str = "path") -> tuple[str, ...]:
    """The parts of a file's path inside a project, `/` between them. Raises InvalidRequest."""
    parts = tuple(path.split("/"))
    for part in parts:
        _check_part(part, param)
    if len(parts) > MAX_FOLDERS or len(path.encode()) > MAX_PATH_BYTES:
        raise _invalid(param, f"at most {MAX_FOLDERS} parts and {MAX_PATH_BYTES} bytes are allowed")
    return parts


def is_valid_name(name: str) -> bool:
    """Whether a client could name a file or folder that is called so."""
    return _find_problem(name) is None


def _check_part(name: str, param: str) -> None:
    problem = _find_problem(name)
    if problem is not None:
        raise _invalid(param, problem)


def _invalid(param: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {problem}.", param=param)


def _find_problem(name: str) -> str | None:
    """What is wrong with one part of a path."""
    if name in ("", ".", ".."):
        return "it has to be relative, without empty parts, '.' and '..'"
    if any(unicodedata.category(character)[0] == "C" or character in _REFUSED for character in name):
        return 'control characters, unassigned ones and any of <>:"|?*\\ are not allowed'
    # Two spellings of one name, and characters that some system takes for a dot or a slash.
    if unicodedata.normalize("NFKC", name) != name:
        return "it has to be in Unicode's normal form NFKC"
    if name != name.strip() or name.endswith("."):
        return "a part may not begin or end with a space, nor end with a dot"
    if _RESERVED.fullmatch(name):
        return f"'{name}' is a reserved name"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"a part may have at most {MAX_NAME_BYTES} bytes"
    return None
