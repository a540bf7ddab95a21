"""Audit entries per second: one writer and four, on a file and on a server."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.table import Row
from store.audit import record
from store.engine import open_store

ENTRIES = 200


def rows() -> list[Row]:
    """SQLite always; PostgreSQL, with its writes made durable as SQLite's are, where Debian's server is installed."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        found += _measured("SQLite", f"sqlite:///{folder}/store.db")
    with _postgres() as url:
        if url:
            found += _measured("PostgreSQL", url)
    return found


def _measured(name: str, url: str) -> list[Row]:
    open_store(url).close()
    found = []
    for writers in (1, 4):
        share = ENTRIES // writers
        spawn = multiprocessing.get_context("spawn")
        barrier = spawn.Barrier(writers + 1)
        processes = [spawn.Process(target=_write, args=(url, share, barrier)) for _ in range(writers)]
        for process in processes:
            process.start()
        barrier.wait(60)
        start = time.perf_counter()
        for process in processes:
            process.join(120)
        rate = share * writers / (time.perf_counter() - start)
        found.append(Row(f"{writers} writer{'s' if writers > 1 else ''}, one entry per transaction", name, rate, "/s"))
    return found


def _write(url: str, entries: int, barrier: multiprocessing.synchronize.Barrier) -> None:
    store = open_store(url)
    barrier.wait(60)
    for number in range(entries):
        with store.session() as session:
            record(session, "bench", "write", "as fast as it goes", {"number": number})
    store.close()


@contextmanager
def _postgres() -> Iterator[str]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        yield ""
        return
    programs, folder = found[-1].parent, Path(tempfile.mkdtemp(prefix="sanwang-bench-"))
    owner: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        owner = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*owner, str(programs / program), "-D", f"{folder}/data", *arguments]
        subprocess.run(command, check=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)

    try:
        run("initdb", "-A", "trust", "-U", "sanwang", "--locale=C", "-E", "UTF8")
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", f"-c listen_addresses='' -k {folder}", "start")
        try:
            yield f"postgresql://sanwang@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)
