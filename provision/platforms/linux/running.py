"""The running configuration of this appliance by group: how to read it, compare it and load it again.

Standard library only: it runs on the device.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable

from provision.platforms.linux import disk, netapply, network
from provision.platforms.linux.network import enter, existing
from provision.platforms.linux.spawn import DeviceError, call, run

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any

_SV = "/etc/sanwang/sv"
_SUPERVISOR = "/run/sanwang-supervisor.pid"  # its unit's; without one the supervisor is process 1
READY = "/run/sanwang-network.ready"
_EXIT = "/etc/sanwang/exit.nft"
_GUARD = (
    (
        "table inet county\ndelete table inet county\ntable inet county {{\n"
        ' chain input {{ type filter hook input priority filter; policy drop; iifname {{ "lo", "stg0" }} accept; }}\n'
        " chain forward {{ type filter hook forward priority filter; policy drop; }}\n}}\n"
    )
    .replace("{{", "{")
    .replace("}}", "}")
)
_CHARON_FILES = {"/etc/strongswan.d/county.conf", "/etc/strongswan.d/charon/kernel-libipsec.conf"}  # read at its start
_SERVICE_START_S = 20.0
_HUP = {"ssh": ("sshd",), "nginx": ("nginx",), "keepalived": ("keepalived",), "nms": ("prometheus", "alertmanager")}
_RESTART = {
    "lines": ("lines",),
    "natlog": ("natlog",),
    "snmp": ("snmpd",),
    "agent": ("agent",),
    "chrony": ("chrony",),
    "relay": ("relay", "bus", "node"),
    "nms": ("serve", "bus"),
}
_SELF = ("broker",)  # carries the session that asked: restarted when the answer is out


def survey(ledger: dict[str, Any]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """(fingerprint per group, what drifted per group) of the running configuration."""
    groups = set(ledger["files"].values())
    wanted = network.load()
    state = network.running_state(wanted) if "network" in groups else {}
    prints = fingerprints(ledger, state)
    drift: dict[str, list[str]] = {}
    if state and (differences := network.differs(wanted, state)):
        drift["network"] = differences
    for group, value in prints.items():
        if group not in ("network", "services") and ledger["fingerprints"].get(group, value) != value:
            drift[group] = [f"the running {group} configuration is not the one that was applied"]
    if "frr" in groups and (dormant := _frr().dormant_vrfs()):
        drift["frr"] = [f"zebra has not taken up VRF {name}" for name in dormant]
    down = [f"{name} is {state}" for name, state in service_states(ledger).items() if state != "run"]
    if down:
        drift["services"] = down
    return prints, drift


def fingerprints(ledger: dict[str, Any], state: dict[str, Any] | None = None) -> dict[str, str]:
    """Hash of each group's running configuration; ``state`` is the running network where it was read already."""
    files = ledger["files"]
    groups = set(files.values())
    found = {}
    if "network" in groups:
        found["network"] = _hash(json.dumps(state or network.running_state(network.load()), sort_keys=True))
    if "nft" in groups:
        found["nft"] = _hash("\n".join(_ruleset(vrf) for vrf in _rulesets(files)))
    if "exit" in groups:
        found["exit"] = _hash(_words(["nft", "-s", "list", "table", "inet", "exit"]))
    if "frr" in groups:
        found["frr"] = _hash("\n".join(_frr().running()))
    if "wireguard" in groups:
        found["wireguard"] = _hash("\n".join(_wireguard()))
    if "ipsec" in groups:
        found["ipsec"] = _hash(_words(["swanctl", "--list-conns"]))
    found["services"] = _hash(json.dumps(service_states(ledger), sort_keys=True))
    return found


def _hash(text: str) -> str:
    return str(disk.sha256(text.encode(errors="replace")).hexdigest())


def _words(argv: list[str]) -> str:
    """What a command says; its failure is an answer too."""
    code, out, _ = call(argv)
    return out if code == 0 else f"failed: {code}"


# Rulesets -----------------------------------------------------------------------------------------


def _rulesets(paths: Iterable[str]) -> dict[str, str]:
    """VRF -> file of its ruleset ("" is the device's own)."""
    found = {}
    for path in sorted(paths):
        if path == "/etc/nftables.conf":
            found[""] = path
        elif path.startswith("/etc/nftables.d/"):
            found[os.path.basename(path).removesuffix(".nft")] = path
    return found


def _ruleset(vrf: str) -> str:
    try:
        enter(vrf)
    except OSError:
        return "absent"
    try:
        return _words(["nft", "-s", "list", "ruleset"])
    finally:
        enter("")


def load_rulesets(paths: Iterable[str]) -> list[str]:
    """Load the ruleset of each namespace; one that is refused leaves what was there, or nothing but drops."""
    problems = []
    for vrf, path in _rulesets(paths).items():
        enter(vrf)
        try:
            run(["nft", "-f", path])
        except DeviceError as problem:
            problems.append(str(problem))
            if not _words(["nft", "-s", "list", "table", "inet", "county"]).startswith("table"):
                run(["nft", "-f", "-"], _GUARD)
        finally:
            enter("")
    if problems:
        raise DeviceError("; ".join(problems))
    return [f"ruleset {vrf or 'of the device'} loaded" for vrf in _rulesets(paths)]


def bring_up() -> list[str]:
    """VRFs, rulesets, network, forwarding, in this order: nothing forwards before its ruleset stands."""
    wanted = network.load()
    done = netapply.make_vrfs(wanted)
    import glob

    files = [
        path for path in ["/etc/nftables.conf", *sorted(glob.glob("/etc/nftables.d/*.nft"))] if os.path.exists(path)
    ]
    loaded = [path for vrf, path in _rulesets(files).items() if not _standing(vrf)]
    done += load_rulesets(loaded)
    done += netapply.apply(wanted)
    netapply.forward(wanted, True)
    _mark_ready()
    return done


def _mark_ready() -> None:
    """From now on the other services may start."""
    with open(READY, "w", encoding="ascii"):
        pass


def _standing(vrf: str) -> bool:
    return "table inet county" in _ruleset(vrf)


# FRR ----------------------------------------------------------------------------------------------


def _frr() -> Any:
    """What speaks to FRR; most boxes have none, and need not load it."""
    from provision.platforms.linux import frr

    return frr


def _load_frr(ledger: dict[str, Any]) -> list[str]:
    """Bring FRR to frr.conf; only what differs is touched."""
    frr = _frr()
    done = frr.load(lambda: _frr_settled(ledger), _SERVICE_START_S)
    return [*done, *frr.wake_vrfs(_SERVICE_START_S), *frr.tell_addresses()]


def _frr_settled(ledger: dict[str, Any]) -> bool:
    """True when every FRR daemon has run long enough to have read its configuration."""
    names = [name for name in _service_names(ledger) if os.path.exists(f"/usr/lib/frr/{name}")]
    return all(_service(name)[0] == "run" and _service(name)[1] > 4 for name in names)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


# VPN ----------------------------------------------------------------------------------------------


def _wireguard() -> list[str]:
    """WireGuard's running peers, a hash each; where a peer was last seen is no configuration."""
    blocks = [
        "\n".join(line.strip() for line in block.splitlines() if line.strip() and not line.startswith("Endpoint"))
        for block in _words(["wg", "showconf", "wg0"]).split("\n[")
    ]
    return sorted(map(_hash, blocks))


def _load_wireguard(text: str) -> None:
    """Bring the peers to what the file says, and touch no other.

    ``wg syncconf`` would take each peer's prefixes away for a moment: packets of sites that do not change were lost.
    """
    wanted, have = wireguard_blocks(text), wireguard_blocks(_words(["wg", "showconf", "wg0"]))
    if not _as_wanted(wanted.pop("", {}), have.pop("", {})):
        run(["wg", "syncconf", "wg0", "/etc/wireguard/wg0.conf"])
        return
    fresh = [block for key, block in wanted.items() if not _as_wanted(block, have.get(key, {}))]
    for key in have:
        if key not in wanted:
            run(["wg", "set", "wg0", "peer", key, "remove"])
    if fresh:
        lines = ["[Peer]\n" + "".join(f"{name} = {value}\n" for name, value in block.items()) for block in fresh]
        run(["wg", "addconf", "wg0", "/dev/stdin"], "".join(lines))


def wireguard_blocks(text: str) -> dict[str, dict[str, str]]:
    """The settings of each peer by its public key, the interface's own under ""; prefixes in one order."""
    blocks: dict[str, dict[str, str]] = {}
    for block in ("\n" + text).split("\n[")[1:]:
        lines = (line.partition("#")[0].partition("=") for line in block.splitlines()[1:])
        found = {name.strip(): value.strip() for name, sign, value in lines if sign}
        if "AllowedIPs" in found:
            found["AllowedIPs"] = ", ".join(sorted(each.strip() for each in found["AllowedIPs"].split(",")))
        blocks[found.get("PublicKey", "")] = found
    return blocks


def _as_wanted(wanted: dict[str, str], have: dict[str, str]) -> bool:
    """Whether these settings stand; where a peer was last seen is no setting unless the file says so."""
    return all(have.get(name) == value for name, value in wanted.items()) and have.keys() <= {*wanted, "Endpoint"}


def _end_orphans() -> list[str]:
    """End every IPsec association whose connection is no longer configured: loading alone leaves it running."""
    known = {line.split(":")[0] for line in _words(["swanctl", "--list-conns"]).splitlines() if line[:1].strip()}
    alive = {line.split(":")[0] for line in _words(["swanctl", "--list-sas"]).splitlines() if line[:1].strip()}
    for name in sorted(alive - known):
        run(["swanctl", "--terminate", "--force", "--timeout", "2", "--ike", name])
    return [f"IPsec associations of {name} ended" for name in sorted(alive - known)]


# Services -----------------------------------------------------------------------------------------


def _service_names(ledger: dict[str, Any]) -> list[str]:
    paths = [path for path, group in ledger["files"].items() if group == "services" and path.startswith(_SV)]
    return sorted(os.path.basename(os.path.dirname(path)) for path in paths)


def service_states(ledger: dict[str, Any]) -> dict[str, str]:
    """Each of our services: run, down or finish, as its supervisor says."""
    return {name: _service(name)[0] for name in _service_names(ledger)}


def _service(name: str) -> tuple[str, float]:
    """(state, seconds in it)."""
    try:
        path = f"{_SV}/{name}/supervise/stat"
        return _text(path).strip().split(",")[0], time.time() - os.stat(path).st_mtime
    except OSError:
        return "absent", 0.0


def _outdated(name: str) -> bool:
    """True when the service runs since before its run script was written; the supervisor may just have started it."""
    folder = f"{_SV}/{name}"
    return os.stat(f"{folder}/supervise/stat").st_mtime < os.stat(f"{folder}/run").st_mtime


def _load_services(changed: set[str], ledger: dict[str, Any]) -> set[str]:
    """Start what is new or down, restart what has another run script; returns the names that started now."""
    names = _service_names(ledger)
    started = set()
    for name in names:
        state = _service(name)[0]
        if state == "run" and f"{_SV}/{name}/run" in changed and name not in ("network", *_SELF) and _outdated(name):
            run(["sv", "-w", "10", "restart", f"{_SV}/{name}"])
            started.add(name)
        elif state not in ("run", "absent"):
            call(["sv", "up", f"{_SV}/{name}"])
            started.add(name)
        elif state == "absent":
            started.add(name)
    deadline = time.monotonic() + _SERVICE_START_S
    waiting = [name for name in names if _service(name)[0] != "run"]
    while waiting and time.monotonic() < deadline:
        if any(_service(name)[0] == "absent" for name in waiting):
            _look_for_services()
        time.sleep(0.2)
        waiting = [name for name in names if _service(name)[0] != "run"]
    if waiting:
        raise DeviceError(f"services that did not start within {_SERVICE_START_S:.0f} s: {', '.join(waiting)}")
    return started


def _look_for_services() -> None:
    """Make runsvdir look into its folder now: a byte for its log wakes it, otherwise it looks every five seconds."""
    with contextlib.suppress(OSError):
        pid = _text(_SUPERVISOR).strip() if os.path.exists(_SUPERVISOR) else "1"
        with open(f"/proc/{pid}/fd/2", "wb", buffering=0) as log:
            log.write(b".")


def retire(name: str) -> None:
    """Stop a service and forget it."""
    folder = f"{_SV}/{name}"
    if os.path.isdir(folder):
        import shutil

        call(["sv", "-w", "7", "force-shutdown", folder])
        shutil.rmtree(folder, ignore_errors=True)


# Loading ------------------------------------------------------------------------------------------


def reload(groups: set[str], changed: set[str], ledger: dict[str, Any]) -> list[str]:
    """Load what the files say into what runs, for these groups, in the order that never opens a hole."""
    done: list[str] = []
    paths = [path for path in ledger["files"] if os.path.exists(path)]
    if groups & {"network", "sysctl", "nft"}:
        # every ruleset is good before the first is loaded
        run(["nft", "-c", "-f", "-"], "".join(f'include "{path}"\n' for path in _rulesets(paths).values()))
        wanted = network.load()
        done += netapply.make_vrfs(wanted)
        stale = [path for path in _rulesets(paths).values() if path in changed]
        stale += [path for vrf, path in _rulesets(paths).items() if path not in stale and not _standing(vrf)]
        if "nft" in groups and not stale:
            stale = list(_rulesets(paths).values())  # changed by hand: which one is not known
        done += load_rulesets(stale)
        done += netapply.apply(wanted)
        netapply.forward(wanted, True)
        _mark_ready()
    if "exit" in groups:
        run(["nft", "-f", _EXIT])  # one transaction of its own; the ruleset of which it is a part stays as it is
        done.append("Internet exit switched")
    started = _load_services(changed, ledger)
    if "frr" in groups or started & {"zebra", "ospfd", "bfdd", "staticd", "bgpd"}:
        done += _load_frr(ledger)
    if "wireguard" in groups or "wireguard" in started:
        _until(lambda: not _words(["wg", "show", "wg0", "listen-port"]).startswith("failed"), "wg0")
        _load_wireguard(_text("/etc/wireguard/wg0.conf"))
        done += netapply.apply(network.load())
    if changed & _CHARON_FILES and "charon" not in started:
        run(["sv", "-w", "10", "restart", f"{_SV}/charon"])
        started.add("charon")
    if "ipsec" in groups or "charon" in started:
        _until(lambda: os.path.exists("/run/charon.vici"), "charon")
        run(["swanctl", "--load-all", "--noprompt"])
        done += _end_orphans()
        done += netapply.apply(network.load())
    if "nginx" in groups:
        run(["nginx", "-t", "-q"])
    for table, verb in ((_HUP, "hup"), (_RESTART, "restart")):
        for group in sorted(groups & set(table)):
            for name in table[group]:
                if name not in started and os.path.isdir(f"{_SV}/{name}"):
                    run(["sv", "-w", "10", verb, f"{_SV}/{name}"])
                    done.append(f"{name}: {verb}")
    for name in _SELF:
        if f"{_SV}/{name}/run" in changed and name not in started:
            import subprocess

            subprocess.Popen(
                ["sh", "-c", f"sleep 3; sv restart {_SV}/{name}"],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    return done + [f"{name} started" for name in sorted(started)]


def _until(there: Any, what: str) -> None:
    deadline = time.monotonic() + _SERVICE_START_S
    while not there():
        if time.monotonic() > deadline:
            raise DeviceError(f"{what} did not come within {_SERVICE_START_S:.0f} s")
        time.sleep(0.1)


__all__ = ["bring_up", "existing", "fingerprints", "reload", "retire", "survey"]
