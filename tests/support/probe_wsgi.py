"""The app with GET /_probe, which counts objects that could leak."""

import gc
import os

import greenlet

from wsgi import app

__all__ = ["app"]


@app.get("/_probe")
def probe() -> dict[str, int]:
    """Return the number of living greenlets and open file descriptors of this worker."""
    gc.collect()
    alive = [found for found in gc.get_objects() if isinstance(found, greenlet.greenlet) and not found.dead]
    return {"greenlets": len(alive), "descriptors": len(os.listdir("/proc/self/fd"))}  # noqa: PTH208
