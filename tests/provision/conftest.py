"""Fixtures that are dear: made once for all tests of this room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.provision import switches


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bench in which a switch of every vendor is as the model says, and has no power."""
    with pytest.MonkeyPatch.context() as patched:
        bench = switches.Bench(tmp_path_factory.mktemp("switches") / "bench")
        switches.patch(patched, bench)
        broker = bench.broker()

        async def all_of_them() -> None:
            hosts = [bench.power(platform) for platform in switches.SITES]
            await asyncio.gather(*(broker.provision(host) for host in hosts))

        asyncio.run(all_of_them())
        bench.close()
    return bench.folder
