"""What gunicorn serves: `gunicorn -c gunicorn.conf.py wsgi:app`."""

import sys

from gateway.app import create_app
from gateway.settings import SettingsError

BOOT_ERROR = 3  # gunicorn's own: it stops, where after any other it would start the worker again and again

try:
    app = create_app()
except SettingsError as error:
    sys.stderr.write(f"gateway: {error}\n")
    sys.exit(BOOT_ERROR)
app.extensions["claude"].open()
app.extensions["session_turns"].open()
