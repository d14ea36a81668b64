"""The WSGI app for gunicorn: `claude-gateway serve`."""

import sys

from gateway.api.http.context import services_of
from gateway.app import create_app
from gateway.settings import SettingsError

BOOT_ERROR = 3  # gunicorn stops at this status; after any other it would start the worker again and again

try:
    app = create_app()
except SettingsError as error:
    sys.stderr.write(f"gateway: {error}\n")
    sys.exit(BOOT_ERROR)
services_of(app).open()
