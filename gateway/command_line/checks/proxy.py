"""Check of nginx, if it is installed: it must pass streams on without delay."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from gateway.command_line.checks.findings import NOTE, OK, WRONG, Finding
from gateway.settings import Settings


def check_nginx(settings: Settings) -> Iterator[Finding]:
    """Check that nginx, if it is installed, passes streams on without delay."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        yield NOTE, "nginx is not installed; another proxy in front must not buffer (docs/deploy.md)"
        return
    dumped = subprocess.run([program, "-T"], capture_output=True, text=True, check=False)
    if dumped.returncode:
        yield (
            NOTE,
            "this user cannot read nginx's configuration: check that it contains proxy_buffering off",
        )
        return
    yield from _check_nginx_lines(
        settings, [line.split("#")[0].strip() for line in dumped.stdout.splitlines()]
    )


def _check_nginx_lines(settings: Settings, lines: Sequence[str]) -> Iterator[Finding]:
    if not any(f":{settings.port}" in line for line in lines):
        yield NOTE, f"nginx passes nothing to port {settings.port}: see deploy/nginx/claude-gateway.conf"
        return
    if "proxy_buffering off;" in lines:
        yield OK, "nginx does not buffer answers"
    else:
        yield WRONG, "nginx buffers answers: set proxy_buffering off;"
    if settings.trusted_proxies:
        yield OK, "nginx passes on the clients' addresses"
    else:
        yield WRONG, "all clients have nginx's address and share one client's limits: set TRUSTED_PROXIES=1"
    if any(line.startswith("proxy_read_timeout") for line in lines):
        yield OK, "nginx waits for slow answers"
    else:
        yield WRONG, "nginx cuts answers off after 60 s of silence: set proxy_read_timeout 1h;"
