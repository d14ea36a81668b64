"""A gateway that notes which files below AUDITED_FOLDER it opens or lists, in the file AUDIT_LOG.

The audit hook sees everything that the worker does itself, and nothing of the CLI's processes.
"""

import os
import sys
from pathlib import Path
from typing import Any

_FOLDER, _LOG = os.environ["AUDITED_FOLDER"], Path(os.environ["AUDIT_LOG"])


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith(_FOLDER):
        descriptor = os.open(_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{event} {arguments[0]}\n".encode())
        os.close(descriptor)


sys.addaudithook(_note)

from wsgi import app as app  # noqa: E402  the hook has to come first
