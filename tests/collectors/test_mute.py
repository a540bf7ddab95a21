"""A switch that answers its management and no SNMP is a fault of its own; one that answers neither is not this one."""

from __future__ import annotations

import asyncio

import pytest

from collectors.faults.watch import Watch
from collectors.faults.words import words
from collectors.mute import LOST_S, NEVER_S, Mute

from .county import all_well

SWITCH = "b01-sw"


async def answering() -> asyncio.Server:
    return await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)


@pytest.mark.parametrize(("known", "patience_s"), [(True, LOST_S), (False, NEVER_S)])
async def test_only_what_answers_its_management_and_has_had_its_time_is_mute(known: bool, patience_s: float) -> None:
    county, now = all_well(), 0.0
    server = await answering()
    mute = Mute(county, server.sockets[0].getsockname()[1], lambda: now)
    mute._addresses = dict.fromkeys(mute._addresses, "127.0.0.1")
    if known:
        await mute.look()
    county.snmp_ok -= {SWITCH}
    await mute.look()
    assert county.mute == frozenset()
    now = patience_s - 1
    await mute.look()
    assert county.mute == frozenset()
    now = patience_s
    await mute.look()
    assert county.mute == {SWITCH}
    mute._addresses = dict.fromkeys(mute._addresses, "127.0.0.2")
    server.close()
    await server.wait_closed()
    await mute.look()
    assert county.mute == frozenset(), "it is away altogether: its cables say so"
    server = await answering()
    mute._port, mute._addresses = server.sockets[0].getsockname()[1], dict.fromkeys(mute._addresses, "127.0.0.1")
    now += LOST_S
    await mute.look()
    assert county.mute == frozenset(), "it has just come back, and nobody has asked it yet"
    server.close()


async def test_the_fault_names_the_switch_and_goes_when_it_answers_again() -> None:
    county = all_well()
    watch = Watch(county)
    county.mute = frozenset({SWITCH})
    wall = 1_700_000_000.0
    for second in range(60):
        watch.step(100.0 + second, wall + second)
    (fault,) = watch.book.open
    assert (fault.kind, fault.subject, fault.severity) == ("service-down", f"{SWITCH}/snmp", "warning")
    told = words(county.model, fault)
    assert "no SNMP" in told.en
    assert f"sanwang drift {SWITCH}" in told.next_step
    county.mute = frozenset()
    for second in range(60, 120):
        watch.step(100.0 + second, wall + second)
    assert list(watch.book.open) == []
