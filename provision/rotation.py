"""New keys for a remote site that is reached only through the tunnel those keys make.

WireGuard: the gateway learns the new public key beside the old one, the box changes over by itself, and the gateway
moves the site's prefixes the moment the new key has shaken hands.  If it does not within the time, the box goes back
to the old key and the gateway never left it.  IPsec: the box gets a new certificate for a new key, the association is
made anew with it, and the old certificate is revoked.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from identity import wireguard
from inventory.model import Tunnel
from provision.broker.server import Request
from provision.broker.session import DeviceSession
from provision.broker.wire import BrokerError

if TYPE_CHECKING:
    from provision.broker.devices import Devices

WITHIN_S = 15
_INSIDE = "nsenter -t 1 -n -m sh -c "

# Runs on the box beside the session that started it; both keys come on standard input and never on a command line.
_CHANGE_OVER = """\
umask 077; mkdir -p /run/sanwang-wg; cd /run/sanwang-wg; read -r new; read -r old; read -r peer; read -r far
printf '%s\\n' "$new" >new; printf '%s\\n' "$old" >old
seen() {{ wg show wg0 latest-handshakes | awk -v peer="$peer" '$1 == peer {{ print $2 }}'; }}
( sleep 0.3; before=$(seen); begin=$(date +%s); good=
  wg set wg0 private-key new
  for turn in $(seq {turns}); do
    ping -c 1 -W 1 "$far" >/dev/null 2>&1
    last=$(seen)
    if [ "${{last:-0}}" -ge "$begin" ] && [ "${{last:-0}}" != "${{before:-0}}" ]; then good=1; break; fi
    sleep 0.2
  done
  [ "$good" ] || wg set wg0 private-key old
  cd /; rm -r /run/sanwang-wg
) >/dev/null 2>&1 </dev/null &
"""
# Runs on the gateway: the new peer is where the old one is, and takes its prefixes over once it has shown itself.
_TAKE_OVER = """\
at=$(wg show wg0 endpoints | awk -v peer={old} '$1 == peer && $2 ~ /:/ {{ print $2 }}')
wg set wg0 peer {new} ${{at:+endpoint $at}}
for turn in $(seq {turns}); do
  last=$(wg show wg0 latest-handshakes | awk -v peer={new} '$1 == peer {{ print $2 }}')
  if [ "${{last:-0}}" -gt 0 ]; then wg set wg0 peer {new} allowed-ips {prefixes}; echo moved; exit 0; fi
  sleep 0.02
done
wg set wg0 peer {new} remove; exit 1
"""


async def rotate_wireguard(devices: Devices, request: Request, tunnel: Tunnel) -> dict[str, Any]:
    """Move a box to a new key; BrokerError (kind ``device``) when it stayed with the old one."""
    model = devices.county.model
    box, gateway = model.hosts[tunnel.host], model.hosts[tunnel.gateway]
    secrets, sessions = devices.secrets, devices.sessions
    old = await sessions.thread(lambda: secrets.value(f"wg/{box.name}"))
    new = await sessions.thread(lambda: secrets.next_wireguard(box.name))
    peer = await sessions.thread(lambda: secrets.value(f"wg-pub/{gateway.name}"))
    far = str(model.hosts[model.nms].management)
    lines = f"{new}\n{old}\n{peer}\n{far}\n".encode()
    take_over = _TAKE_OVER.format(
        old=wireguard.public_key(old),
        new=wireguard.public_key(new),
        prefixes=",".join(map(str, tunnel.inner)),
        turns=WITHIN_S * 40,
    )

    def start(session: DeviceSession) -> None:
        done = session.run(_INSIDE + shlex.quote(_CHANGE_OVER.format(turns=WITHIN_S * 2)), lines)
        if done.code:
            raise BrokerError("device", f"{box.name}: the new key was not taken: {done.err.strip()[-300:]}")

    def follow(session: DeviceSession) -> bool:
        return session.run(_INSIDE + shlex.quote(take_over), timeout_s=WITHIN_S * 4).code == 0

    await sessions.on(box, start)
    moved = await sessions.on(gateway, follow)
    await sessions.thread(lambda: secrets.settle_wireguard(box.name, keep=moved))
    if not moved:
        raise BrokerError(
            "device", f"{box.name} did not shake hands with its new key within {WITHIN_S} s; it keeps the old one"
        )
    for host in (gateway.name, box.name):
        part = {"host": host, "groups": ["wireguard"]}
        await devices.apply(Request(part, request.who, request.why, request.emit))
    return {"public_key": wireguard.public_key(new)}


async def rotate_certificate(devices: Devices, request: Request, tunnel: Tunnel) -> dict[str, Any]:
    """A new key and certificate for an IPsec box; the old certificate is revoked once the new one is in use."""
    model = devices.county.model
    box = model.hosts[tunnel.host]
    secrets, sessions = devices.secrets, devices.sessions
    before = await sessions.thread(lambda: secrets.renew_certificate(box, model))
    try:
        part = {"host": box.name, "groups": ["ipsec"]}
        await devices.apply(Request(part, request.who, request.why, request.emit))
    except BrokerError:
        await sessions.thread(lambda: secrets.restore_certificate(box.name, before))
        raise
    # Beside the session, which rides the association that is made anew.
    command = f"swanctl --rekey --reauth --ike {tunnel.name} >/dev/null 2>&1; sleep 1;"
    command += f" swanctl --list-sas --ike {tunnel.name} | grep -q INSTALLED"
    command += f" || swanctl --initiate --child {tunnel.name} --timeout 10"
    again = _INSIDE + shlex.quote(f"( sleep 0.2; {command} ) >/dev/null 2>&1 </dev/null &")
    await sessions.on(box, lambda session: session.run(again))
    await _established(devices, tunnel)
    revoked = await sessions.thread(lambda: secrets.revoke_old(box.name, request.why))
    part = {"host": tunnel.gateway, "groups": ["ipsec"]}
    await devices.apply(Request(part, request.who, request.why, request.emit))
    return {"certificates_revoked": revoked}


async def _established(devices: Devices, tunnel: Tunnel) -> None:
    """Wait until the gateway's association with the site is a young one."""
    gateway = devices.county.model.hosts[tunnel.gateway]
    command = (
        f"for turn in $(seq {WITHIN_S * 4}); do sleep 0.25; found=$(swanctl --list-sas --ike {tunnel.name});"
        ' echo "$found" | grep -q INSTALLED && echo "$found" | grep -Eq "established 1?[0-9]s ago" && exit 0;'
        " done; exit 1"
    )
    done = await devices.sessions.on(
        gateway, lambda session: session.run(_INSIDE + shlex.quote(command), timeout_s=WITHIN_S * 4)
    )
    if done.code:
        raise BrokerError(
            "device", f"{tunnel.name}: no new association within {WITHIN_S} s; both certificates stay good: try again"
        )
