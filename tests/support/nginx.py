"""nginx with the site file from `deploy/`, on a free port of 127.0.0.1."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.gateway import ROOT, wait_for
from tests.support.sockets import free_port, is_listening

SITE = ROOT / "deploy/nginx/claude-gateway.conf"
PROGRAM = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

needs_nginx = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")


class Nginx:
    """nginx in front of the gateways at `upstreams`, for example "127.0.0.1:8000". It writes to `folder`.

    Only two things in the site file are changed, as its head suggests: the address and the upstream servers.
    """

    def __init__(self, folder: Path, *upstreams: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "nginx.log"
        (folder / "site.conf").write_text(self._site(upstreams))
        (folder / "nginx.conf").write_text(self._main(folder))
        assert PROGRAM
        self.process = subprocess.Popen(
            [PROGRAM, "-e", str(self.log), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        )
        wait_for(lambda: is_listening(self.port) or self.process.poll() is not None, 20)
        assert self.process.poll() is None, self.log.read_text()

    def _site(self, upstreams: tuple[str, ...]) -> str:
        servers = "\n".join(f"    server {upstream};" for upstream in upstreams)
        site = SITE.read_text("utf-8")
        for line, replacement in {
            "    listen 80;": f"    listen 127.0.0.1:{self.port};",
            "    server 127.0.0.1:8000;": servers,
        }.items():
            assert site.count(line) == 1
            site = site.replace(line, replacement)
        return site

    def _main(self, folder: Path) -> str:
        user = (
            "user root root;\n" if os.geteuid() == 0 else ""
        )  # its default user may not write to the folder
        paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
        return (
            f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {self.log} warn;\nworker_processes 1;\n"
            "events { worker_connections 1024; }\n"
            f"http {{\naccess_log off;\n{paths}include {folder}/site.conf;\n}}\n"
        )

    def close(self) -> None:
        """Stop nginx."""
        self.process.terminate()
        self.process.wait(20)
