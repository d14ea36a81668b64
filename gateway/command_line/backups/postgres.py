"""Copy a PostgreSQL database with pg_dump while gateways use it, and put a copy in its place with pg_restore."""

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.command_line.backups.archive import BackupError

NAME = "gateway.dump"
OWNERLESS = ("--no-owner", "--no-privileges")
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


class PostgresDatabase:
    """The database at a URL of libpq. All tables of its current schema are the gateway's."""

    name = NAME

    def __init__(self, url: str) -> None:
        parts = conninfo_to_dict(url)
        self._password = parts.pop("password", None)
        self._target = make_conninfo("", **parts)  # programs get the password by their environment
        self._url = url

    def save(self, target: Path) -> list[str]:
        """Copy the database as it is at this moment, and return the names of its migrations."""
        self._run("pg_dump", "--format=custom", *OWNERLESS, f"--file={target}", f"--dbname={self._target}")
        with psycopg.connect(self._url) as db:
            return [name for (name,) in db.execute("SELECT name FROM schema_migration ORDER BY name")]

    def describe_users(self) -> str | None:
        """Return the number of other connections in words, or None."""
        with psycopg.connect(self._url) as db:
            row = db.execute(OTHERS).fetchone()
        count = int(row[0]) if row else 0
        return f"{count} connection(s) of other programs to the database" if count else None

    def replace(self, source: Path, suffix: str) -> str | None:
        """Move the present tables to another schema, and restore the copy. Return the name of that schema.

        If pg_restore fails, the tables are moved back.
        """
        former = f"gateway{suffix}".replace("-", "_").replace(".", "_")
        moved, current = self._move_tables(former)
        try:
            self._run(
                "pg_restore",
                "--single-transaction",
                *OWNERLESS,
                f"--dbname={self._target}",
                str(source),
            )
        except BackupError:
            if moved:
                self._move_tables(current, back_from=former)
            raise
        return f"the schema {former} of the database" if moved else None

    def _move_tables(self, to: str, back_from: str | None = None) -> tuple[bool, str]:
        """Move all tables of a schema. Return True if there were any, and the name of the current schema."""
        with psycopg.connect(self._url) as db:
            row = db.execute("SELECT current_schema()").fetchone()
            current = str(row[0]) if row else "public"
            if back_from is not None:
                db.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(back_from)))
            tables = [name for (name,) in db.execute(TABLES)]
            if tables and back_from is None:
                db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(to)))
            for table in tables:
                db.execute(
                    sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(table), sql.Identifier(to))
                )
        return bool(tables), current

    def _run(self, program: str, *arguments: str) -> None:
        if not shutil.which(program):
            raise BackupError(
                f"{program} is not installed. On Debian and Ubuntu: apt install postgresql-client"
            )
        environ = {**os.environ, **({"PGPASSWORD": str(self._password)} if self._password else {})}
        done = subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackupError(f"{program} failed: {done.stderr.strip()}")
