"""Migrations and the models of all rooms agree, on every engine, forwards and backwards."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import inspect, text

from store.base import Base
from store.engine import Store, open_store
from store.migrate import configuration

ROOT = Path(__file__).resolve().parents[2]


def all_models() -> None:
    """Import every room's tables, so that the metadata is whole."""
    for name in ("store.audit", "store.once"):
        import_module(name)
    for path in sorted((*ROOT.glob("*/tables.py"), *ROOT.glob("*/*/tables.py"))):
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def test_models_and_migrations_agree(store: Store) -> None:
    all_models()
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, Base.metadata)
    assert differences == []


def test_every_migration_can_be_taken_back_and_run_again(store: Store) -> None:
    config = configuration()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        before = set(inspect(connection).get_table_names())
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        command.upgrade(config, "head")
        assert set(inspect(connection).get_table_names()) == before


def test_meetings_that_are_there_stay_through_every_migration(store: Store) -> None:
    """Halls, stays and more refer to a meeting: its table must not be made anew under them."""
    config = configuration()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0014")
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO meeting (id, title, start_at, end_at, booked_by, booked_at) VALUES (1, 'x',"
                " '2027-05-01 00:00:00+00:00', '2027-05-01 01:00:00+00:00', 'li', '2027-04-01 00:00:00+00:00')"
            )
        )
        connection.execute(text("INSERT INTO meeting_hall (meeting_id, hall) VALUES (1, 't01')"))
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        assert connection.execute(text("SELECT sequence, told FROM meeting")).all() == [(0, 0)]
        command.downgrade(config, "0014")
        assert connection.execute(text("SELECT hall FROM meeting_hall")).all() == [("t01",)]
        command.upgrade(config, "head")


def test_there_is_one_line_of_migrations() -> None:
    assert len(ScriptDirectory.from_config(configuration()).get_heads()) == 1


def test_a_database_newer_than_the_checkout_is_refused(store: Store, url: str) -> None:
    with store.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CommandError, match="9999"):
        open_store(url)
