"""A person's notebook on the Internet: enrolled, let in to what its owner's role reaches, cut off while it talks."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from drills.lab import Lab
from drills.policy import CONTROL_PORT, Check, Place, users
from drills.talk import Listeners, reaches
from inventory.guests import Guest
from inventory.model import NetworkModel

REACH_S = 5.0
WATCH_S = 3.0
_TRY_S = 0.25
_EVERY_S = 0.05

# Its own /run, so that its WireGuard is nobody else's; it ends when its input ends.
_RUN = """\
mount -t tmpfs tmpfs /run && mkdir /run/wireguard || exit 3
WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error wireguard-go -f wgt0 & pid=$!
trap 'kill $pid 2>/dev/null; wait $pid' EXIT
for _ in $(seq 50); do wg show wgt0 >/dev/null 2>&1 && break; sleep 0.1; done
wg setconf wgt0 $1/notebook.conf && ip address add $2/32 dev wgt0 && ip link set wgt0 mtu 1420 up
for prefix in $3; do ip route replace $prefix dev wgt0; done
echo up
cat >/dev/null
"""


def chosen(model: NetworkModel) -> str:
    """Somebody who may travel and does not yet; whoever reaches the least, so that there is something to deny."""
    able = [
        person.login
        for person in model.people.values()
        if model.travellers and set(person.roles) & set(model.travellers.roles) and person.login not in model.guests
    ]
    return able[-1] if able else ""


@contextlib.asynccontextmanager
async def notebook(lab: Lab, configuration: str) -> AsyncIterator[Place]:
    """A computer behind the preferred carrier with that configuration; where its packets come from."""
    assert lab.model.travellers is not None
    host = f"{lab.model.exits[0].carrier}-isp"
    address = re.search(r"(?m)^Address = ([\d.]+)", configuration)
    allowed = re.search(r"(?m)^AllowedIPs = (.*)$", configuration)
    assert address is not None
    assert allowed is not None
    with tempfile.TemporaryDirectory(prefix="sanwang-notebook-") as folder:
        bare = "".join(line for line in configuration.splitlines(keepends=True) if not line.startswith("Address"))
        (Path(folder) / "notebook.conf").write_text(bare)
        arguments = ["notebook", folder, address[1], allowed[1].replace(",", " ")]
        argv = lab.twin.argv(host, ["unshare", "--mount", "sh", "-c", _RUN, *arguments])
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            await asyncio.wait_for(process.stdout.readline(), 10)
            yield Place(lab.model.exits[0].carrier, lab.model.travellers.network, host, "", IPv4Address(address[1]))
        finally:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
            if process.returncode is None:
                process.kill()
                await process.wait()


async def travel(lab: Lab, login: str) -> dict[str, Any]:
    """Enrol, try what is reached and what is not, revoke under way; ``seconds`` until the last answer after that."""
    broker = lab.broker()
    given = await asyncio.to_thread(broker.call, "vpn_person_enrol", why="drill revoke", person=login)
    model = Lab.attach(lab.places.instance).model
    guest = model.guests[login]
    row: dict[str, Any] = {"site": login, "kind": "person"}
    async with notebook(lab, given["configuration"]) as place, Listeners(lab) as listeners:
        check = _first(model, guest, place)
        row["reached"] = await reaches(lab, check, REACH_S)
        row["denied"] = await _denied(lab, model, guest, place, listeners)
        row |= await _revoked(lab, login, check)
    return row


def _first(model: NetworkModel, guest: Guest, place: Place) -> Check:
    """The first service that the guest reaches."""
    service = next(
        each
        for each in model.services.values()
        if each.protocol == "tcp" and any(each.address in opening.prefix for opening in guest.openings)
    )
    target = Place(service.network, service.network, "", "", service.address)
    return Check(place, target, service.protocol, service.port, guest.name)


async def _denied(lab: Lab, model: NetworkModel, guest: Guest, place: Place, listeners: Listeners) -> bool:
    """Whether a user of the visited network, who answers a neighbour, does not answer the guest."""
    inside = users(model)[guest.network]
    target = next((each for each in inside if not any(each.address in o.prefix for o in guest.openings)), None)
    if target is None:
        return True  # all of the network is open to this role
    neighbour = next(each for each in inside if each.host != target.host)
    listeners.open(target, "tcp", CONTROL_PORT)
    answered = await reaches(lab, Check(neighbour, target, "tcp", CONTROL_PORT, ""), REACH_S)
    return answered and not await reaches(lab, Check(place, target, "tcp", CONTROL_PORT, ""), 1.0)


async def _revoked(lab: Lab, login: str, check: Check) -> dict[str, Any]:
    last_s = 0.0
    over = asyncio.Event()

    async def talk() -> None:
        nonlocal last_s
        while not over.is_set():
            if await reaches(lab, check, _TRY_S):
                last_s = time.monotonic()
            await asyncio.sleep(_EVERY_S)

    talking = asyncio.create_task(talk())
    await asyncio.sleep(1.0)
    began_s = time.monotonic()
    await asyncio.to_thread(lab.broker().call, "vpn_person_revoke", why="drill revoke", person=login)
    returned_s = time.monotonic()
    await asyncio.sleep(WATCH_S)
    over.set()
    await talking
    return {"seconds": round(max(0.0, last_s - began_s), 2), "stopped": last_s < returned_s + _TRY_S}
