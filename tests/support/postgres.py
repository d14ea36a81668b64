"""A PostgreSQL server for tests, on a free port of 127.0.0.1."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.sockets import free_port

USER = "gateway"


def find_programs() -> Path | None:
    """Return the folder of the server's programs, or None without PostgreSQL. Debian keeps it off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@dataclass(frozen=True)
class Server:
    """A running server. `url` is its DATABASE_URL; `restart` and `stop` cut all connections."""

    url: str
    restart: Callable[[], None]
    stop: Callable[[], None]
    start: Callable[[], None]


@contextmanager
def run_server(programs: Path) -> Iterator[Server]:
    """Run a new server. PostgreSQL refuses to run as root, so root runs it as the user `postgres`."""
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="gateway-postgres-") as folder:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        data, port = Path(folder, "data"), free_port()
        subprocess.run(
            [programs / "initdb", "-D", data, "-A", "trust", "-U", USER, "--no-sync", "--no-instructions"],
            user=user,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        control: list[str | Path] = [
            programs / "pg_ctl",
            "-D",
            data,
            "-w",
            "-m",
            "immediate",
            "-l",
            Path(folder, "log"),
            "-o",
            options,
        ]

        def run(command: str) -> None:
            subprocess.run([*control, command], user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

        run("start")
        try:
            url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
            yield Server(url, lambda: run("restart"), lambda: run("stop"), lambda: run("start"))
        finally:
            run("stop")
