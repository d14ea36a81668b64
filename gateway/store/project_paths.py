"""Names of folders and files that clients choose. Only names that mean the same on every system are accepted.

Nothing here touches the file system; `project_folders` sees to it that links lead nowhere.

>>> split_file_path("docs/plan.md")
('docs', 'plan.md')
"""

import re
import unicodedata

from gateway.errors import InvalidRequest

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1024
MAX_FOLDERS = 32

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Separators and their look-alikes, characters with a special meaning on Windows, and the mark of undecodable bytes.
_REFUSED = frozenset('<>:"|?*\\\ufffd\u2044\u2215\u2216\u29f5\u29f8\u29f9')
# Device names of Windows, with any extension. https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL
)


def check_folder_name(name: str) -> str:
    """Return `name` if it is a valid name of a project's folder. Raise InvalidRequest."""
    if not _FOLDER.fullmatch(name):
        expected = "up to 100 ASCII letters, digits and . _ -, beginning with a letter or a digit"
        raise _invalid("path", f"expected the name of one folder: {expected}")
    _check_part(name, "path")
    return name


def split_file_path(path: str, param: str = "path") -> tuple[str, ...]:
    """Return the parts of a file's path in a project, which are separated by `/`. Raise InvalidRequest."""
    parts = tuple(path.split("/"))
    for part in parts:
        _check_part(part, param)
    if len(parts) > MAX_FOLDERS or len(path.encode()) > MAX_PATH_BYTES:
        raise _invalid(param, f"at most {MAX_FOLDERS} parts and {MAX_PATH_BYTES} bytes are allowed")
    return parts


def is_valid_name(name: str) -> bool:
    """Return True if clients may use this name for a file or folder."""
    return _find_problem(name) is None


def _check_part(name: str, param: str) -> None:
    problem = _find_problem(name)
    if problem is not None:
        raise _invalid(param, problem)


def _invalid(param: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {problem}.", param=param)


def _find_problem(name: str) -> str | None:
    """Describe the problem with one part of a path. Return None if the part is valid."""
    if name in ("", ".", ".."):
        return "it has to be relative, without empty parts, '.' and '..'"
    if any(unicodedata.category(character)[0] == "C" or character in _REFUSED for character in name):
        return 'control characters, unassigned ones and any of <>:"|?*\\ are not allowed'
    # Other forms would allow two spellings of one name, and characters that some systems read as a dot or a slash.
    if unicodedata.normalize("NFKC", name) != name:
        return "it has to be in Unicode's normal form NFKC"
    if name != name.strip() or name.endswith("."):
        return "a part may not begin or end with a space, nor end with a dot"
    if _RESERVED.fullmatch(name):
        return f"'{name}' is a reserved name"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"a part may have at most {MAX_NAME_BYTES} bytes"
    return None
