"""The results of checks, and the lines that show them.

>>> format_finding("disk", (OK, "12.0 GB free in /srv"))
'disk         ok     12.0 GB free in /srv'
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.command_line.stores import list_sqlite_files
from gateway.settings import Settings

OK, NOTE, WRONG = "ok", "note", "WRONG"
#: A mark, and a sentence that names the finding and, if something is wrong, the remedy.
Finding = tuple[str, str]
Check = Callable[[Settings], Iterator[Finding]]


def format_finding(name: str, finding: Finding) -> str:
    """Return the line of a finding: the name of its check, the mark and the sentence."""
    return f"{name:12} {finding[0]:6} {finding[1]}"


def name_of(check: Check) -> str:
    """Return the name under which the findings of a check are shown."""
    return check.__name__.removeprefix("check_")


def list_data_folders(settings: Settings) -> list[Path]:
    """Return the folders that the gateway writes to."""
    files = list_sqlite_files(settings.database_url)
    files += [settings.log_file_path] if settings.log_file_path else []
    return [settings.claude_work_dir, settings.project_root, *(file.parent for file in files)]


def find_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())
