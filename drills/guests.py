"""A third party's gateway, played from its own side: its charon, its configuration, its secret.

It asks for everything (``0.0.0.0/0``) as a careless or ill-meaning neighbour would, and must be given what was agreed:
the named services answer, and no user of the network that it visits, or of another one, does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from drills.lab import Lab
from drills.policy import CONTROL_PORT, Check, Place, users
from drills.talk import Listeners, reaches
from identity.secrets import Secrets
from inventory.guests import Guest
from inventory.model import NetworkModel

UP_WITHIN_S = 30.0
REACH_S = 5.0
DENIED_S = 1.0

_STRONGSWAN = """\
charon {
    install_routes = no
    plugins {
        include /etc/strongswan.d/charon/*.conf
        kernel-libipsec {
            load = yes
            allow_peer_ts = yes
        }
    }
}
"""
_CONNECTION = """\
connections {{
    county {{
        version = 2
        proposals = aes256gcm16-prfsha384-ecp384
        local_addrs = {outer}
        remote_addrs = {gateway}
        encap = yes
        local {{
            auth = psk
            id = {identity}
        }}
        remote {{
            auth = psk
            id = {peer}.sanwang.internal
        }}
        children {{
            county {{
                local_ts = {inner}
                remote_ts = 0.0.0.0/0
                esp_proposals = aes256gcm16-ecp256
            }}
        }}
    }}
}}
secrets {{
    ike-county {{
        id-1 = {identity}
        id-2 = {peer}.sanwang.internal
        secret = "{secret}"
    }}
}}
"""
# Its own /run, so that nothing of the machine's or an appliance's daemons is met; it ends when its input ends.
_RUN = """\
mount -t tmpfs tmpfs /run || exit 3
export STRONGSWAN_CONF=$1/strongswan.conf
/usr/lib/ipsec/charon --use-syslog no >$1/charon.log 2>&1 & pid=$!
trap 'kill $pid 2>/dev/null; wait $pid' EXIT
for _ in $(seq 100); do [ -S /run/charon.vici ] && break; sleep 0.1; done
swanctl --load-all --noprompt --file $1/swanctl.conf >$1/load.log 2>&1
for _ in $(seq 50); do ip link show ipsec0 >/dev/null 2>&1 && break; sleep 0.1; done
ip link set ipsec0 mtu 1400 up
ip route replace 10.0.0.0/8 dev ipsec0 src $2
for _ in 1 2 3; do swanctl --initiate --child county --timeout 8 >>$1/load.log 2>&1 && break; done
swanctl --list-sas --raw | tr -d '\\n'; echo
cat >/dev/null
"""


def guest_place(guest: Guest) -> Place:
    """Somebody behind the third party's gateway: the first address of its first prefix."""
    return Place(guest.name, guest.network, guest.host, "", guest.prefixes[0].network_address + 1)


def played(model: NetworkModel) -> Iterator[Guest]:
    """Guests that can be played: those with a shared secret (of the others nobody here has the key)."""
    return (guest for guest in model.guests.values() if guest.host and not guest.authority)


@contextlib.asynccontextmanager
async def third_party(lab: Lab, guest: Guest) -> AsyncIterator[str]:
    """The guest's gateway with power for the length of the block; its associations as its charon lists them."""
    carrier = lab.model.sites[guest.name].homes[0]
    gateway = next(line.address.ip for line in lab.model.exits if line.carrier == carrier)
    secret = await asyncio.to_thread(Secrets(lab.places.lib / "identity").resolve, f"psk/{guest.name}")
    inner = guest_place(guest).address
    with tempfile.TemporaryDirectory(prefix="sanwang-third-") as folder:
        (Path(folder) / "strongswan.conf").write_text(_STRONGSWAN)
        text = _CONNECTION.format(
            outer=guest.outer,
            gateway=gateway,
            identity=guest.identity,
            peer=lab.model.vpn,
            inner=",".join(map(str, guest.prefixes)),
            secret=secret,
        )
        (Path(folder) / "swanctl.conf").write_text(text)
        argv = lab.twin.argv(guest.host, ["unshare", "--mount", "sh", "-c", _RUN, "third", folder, str(inner)])
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield (await asyncio.wait_for(process.stdout.readline(), UP_WITHIN_S)).decode(errors="replace")
        except TimeoutError:
            yield ""
        finally:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
            if process.returncode is None:
                process.kill()
                await process.wait()


async def try_guests(lab: Lab) -> list[tuple[Check, bool, str]]:
    """Each third party's conversations: the check, whether it must work, and "" or what was wrong with it."""
    found: list[tuple[Check, bool, str]] = []
    for guest in played(lab.model):
        source = guest_place(guest)
        async with third_party(lab, guest) as associations, Listeners(lab) as listeners:
            up = "INSTALLED" in associations
            for opening in guest.openings:
                target = Place(guest.network, guest.network, "", "", opening.prefix.network_address)
                check = Check(source, target, opening.protocol, opening.port, guest.name)
                works = up and await reaches(lab, check, REACH_S)
                found.append((check, True, "" if works else "agreed and not answered" if up else "no association"))
            for check, control in _forbidden(lab.model, guest):
                listeners.open(check.target, check.protocol, check.port)
                why = await _refused(lab, guest, check, control) if up else "no association: nothing was tried"
                found.append((check, False, why))
    return found


async def _refused(lab: Lab, guest: Guest, check: Check, control: Check) -> str:
    """ "" when the guest gets no answer where its control does, and in the visited network the gateway counted it."""
    answered = await reaches(lab, control, REACH_S)
    before = await asyncio.to_thread(denied, lab)
    through = await reaches(lab, check, DENIED_S)
    counted = await asyncio.to_thread(denied, lab) > before
    if through:
        return "not agreed and answered"
    if not answered:
        return "its control failed: the listener did not answer somebody who may reach it"
    # What is of another network is not even in the selectors: the guest's own side has no way to send it.
    return (
        "" if counted or check.target.network != guest.network else "the gateway's counter deny-guests did not see it"
    )


def denied(lab: Lab) -> int:
    """Packets of guests that the VPN gateway did not let pass."""
    text = "nft -j list counter inet county deny-guests"
    answer = lab.broker().call("command", host=lab.model.vpn, text=text, why="verify")
    rows = json.loads(answer["out"])["nftables"]
    return int(next(row["counter"]["packets"] for row in rows if "counter" in row))


def _forbidden(model: NetworkModel, guest: Guest) -> Iterator[tuple[Check, Check]]:
    """Users of the network that it visits and of another one, each with somebody who may reach them."""
    everyone = users(model)
    others = [name for name in everyone if name in model.networks and name not in (guest.network, "mgmt")]
    for network in (guest.network, *others[:1]):
        places = everyone[network]
        target = places[0]
        neighbour = next((place for place in places if place.host != target.host), None)
        if neighbour is not None:
            check = Check(guest_place(guest), target, "tcp", CONTROL_PORT, "")
            yield check, Check(neighbour, target, "tcp", CONTROL_PORT, "")
