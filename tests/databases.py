"""Stores to test on: SQLite always, PostgreSQL where Debian's server is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from store.engine import Store, open_store


def _server_folder() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """The socket folder of a PostgreSQL server of our own; it listens on no network."""
    programs = _server_folder()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="sanwang-pg-"))
    as_owner: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_owner, str(programs / program), *arguments],
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-A", "trust", "-U", "sanwang", "--no-sync", "-E", "UTF8", "--locale=C")
        run("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o",
            f"-c listen_addresses='' -k {folder} -c fsync=off", "start")  # fmt: skip
        try:
            with psycopg.connect(f"host={folder} user=sanwang dbname=postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE test")
            yield folder
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    folder = request.getfixturevalue("postgres")
    # The same database, emptied: one of its own for each test costs 300 files that are made and removed again.
    with psycopg.connect(f"host={folder} user=sanwang dbname=postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'test'")
    with psycopg.connect(f"host={folder} user=sanwang dbname=test", autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return f"postgresql://sanwang@/test?host={folder}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store, with all tables."""
    opened = open_store(url)
    yield opened
    opened.close()
