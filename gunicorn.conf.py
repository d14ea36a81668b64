"""The former place of `gateway/gunicorn_conf.py`.

A gateway of release 1.0 that runs, and its systemd unit, read this file when they are reloaded with newer code.
"""

import runpy
from pathlib import Path

_CONFIGURATION = runpy.run_path(str(Path(__file__).resolve().parent / "gateway/gunicorn_conf.py"))
globals().update({name: value for name, value in _CONFIGURATION.items() if not name.startswith("_")})
