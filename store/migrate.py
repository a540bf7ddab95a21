"""Bringing a database to the newest version, from wherever the package lies."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_one_at_a_time = Lock()  # Alembic's context is one per process


def configuration() -> Config:
    """Alembic's configuration, without an ini file: the scripts lie beside this module."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: Connection) -> None:
    """Run the migrations that are still missing, inside the connection's own transaction.

    Raises:
        alembic.util.CommandError: The database is newer than this checkout.
    """
    config = configuration()
    head = ScriptDirectory.from_config(config).get_current_head()
    if MigrationContext.configure(connection).get_current_revision() == head:
        return
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, "head")
