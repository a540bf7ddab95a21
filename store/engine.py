"""Opening the store: SQLite by default, PostgreSQL by URL, the same models and migrations on both.

Several processes of one county use the store at once.  On SQLite a transaction that writes takes the write lock at
its start (``BEGIN IMMEDIATE``): a reader that turned writer half way would be refused at once, not made to wait.

The calls block for as long as the disk takes: a service on asyncio makes them in ``asyncio.to_thread``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 10_000
"""How long one SQLite writer waits for another."""

_MIGRATION_LOCK = 0x53414E57  # "SANW": PostgreSQL advisory lock held while migrating
_IMMEDIATE = "sanwang_immediate"


@dataclass(frozen=True, slots=True)
class Store:
    """An open store.

    >>> with open_store("sqlite://").session() as session:
    ...     session.connection().dialect.name
    'sqlite'
    """

    engine: Engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that may write: committed when the block ends well, rolled back when it raises."""
        writing = self.engine.execution_options(**{_IMMEDIATE: True})
        with Session(writing, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads: one consistent snapshot, never waits for a writer, always rolled back."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


def open_store(url: str) -> Store:
    """Open the store at a SQLAlchemy URL and bring its tables to the newest version.

    Args:
        url: ``sqlite:////path/to/file.db`` (made when missing, mode 0600), ``sqlite://`` (in memory, one thread)
            or ``postgresql://user@host/name``.

    Raises:
        sqlalchemy.exc.OperationalError: The database cannot be reached or the file cannot be made.
        sqlalchemy.exc.ArgumentError: The URL is not one.
    """
    from store.migrate import upgrade

    parsed = make_url(url)
    engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _server(parsed)
    try:
        with engine.execution_options(**{_IMMEDIATE: True}).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            upgrade(connection)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine)


def _server(url: URL) -> Engine:
    """A PostgreSQL engine; a stale pooled connection is noticed before use, an error tells no values."""
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return create_engine(url, pool_pre_ping=True, hide_parameters=True)


def _sqlite(url: URL) -> Engine:
    """A SQLite engine: write-ahead log, foreign keys, a busy timeout, and transactions that we begin ourselves."""
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(url, hide_parameters=True)  # an error is logged: what was to be written may be secret
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
