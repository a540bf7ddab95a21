"""What this appliance has, and the one way to change it: the calls of the device tool.

Pushed to /etc/sanwang/bin/device at enrolment; standard library only.  Usage::

    device state                    JSON: file hashes, running configuration per group, what drifted
    device apply [--check | --confirm SECONDS ID] <bundle
                                    JSON in: {"files": [{"path", "mode", "text", "group"}], "groups": null or [...]}
                                    JSON out: {"changed", "groups", "files": [{"path", "group", "change", "before"}],
                                    "running": [what drifted], "done": [...], "rolled_back", "errors": [...],
                                    "pending": {"id", "left_s"} or null; with --check where something differs "state"}
    device confirm ID               keep the change made with --confirm: else the device undoes it in time by itself
    device revert ID                undo it now
    device rollback ID --confirm SECONDS NEWID   bring back what there was before a confirmed change
    device net                      bring links, addresses and routes to /etc/sanwang/network.json
    device boot                     start of the machine: rulesets, network, forwarding; then stays
    device listen VRF ADDRESS PORT ARGV...   open a UDP socket in a VRF and become ARGV, which inherits it

``state`` gives {"files": {path: {"sha256", "mode"}}, "groups": {path: group}, "running": {group: hash},
"drift": {group: [what differs]}, "pending": {"id", "phase", "left_s"} or null,
"last": {"id", "outcome", "why", "at_unix_s"} or null}.
Exit codes: 0 good, 1 it failed (and what was there before is back), 2 bad input.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any

LONGEST_S = 3600
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000


def _come_home() -> None:
    """Enter the device's own namespaces: a session of the management VRF starts in another."""
    for kind, flag in (("net", _CLONE_NEWNET), ("mnt", _CLONE_NEWNS)):
        if os.stat(f"/proc/1/ns/{kind}").st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino:
            import ctypes

            libc = ctypes.CDLL(None, use_errno=True)
            handle = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY)
            if libc.setns(handle, flag):
                raise OSError(ctypes.get_errno(), f"/proc/1/ns/{kind}")
            os.close(handle)
    os.chdir("/")


def boot() -> None:
    """Bring the machine's network up from its disk, then stay; fails closed."""
    from provision.platforms.linux import change, disk, running, undo

    while True:
        try:
            with disk.locked():  # an apply that is under way brings the network up itself
                change.at_boot(fresh=not os.path.exists(running.READY))
                running.bring_up()
            if undo.load() is not None:
                undo.start_timer()
            break
        except Exception as problem:
            print(f"device: network is not up: {problem}", file=sys.stderr, flush=True)
            time.sleep(2)
    os.execvp("sleep", ["sleep", "infinity"])


def listen(vrf: str, address: str, port: str, argv: list[str]) -> None:
    """Open a UDP socket in a VRF and become ``argv``, which finds it as systemd's sockets are found (LISTEN_FDS).

    So snmpd answers in the management network and still sees the device's own interfaces.
    """
    import socket

    from provision.platforms.linux import network

    network.enter("" if vrf == "-" else vrf)
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, int(port)))
    network.enter("")
    os.dup2(opened.fileno(), 3)
    os.set_inheritable(3, True)  # also where the socket was number 3 already
    os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    os.execv(argv[0], argv)


def main(argv: list[str]) -> int:
    """Entry; see the module's text."""
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if argv else 2
    _come_home()
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    if argv[0] == "boot":
        boot()
    if argv[0] == "listen" and len(argv) > 4:
        listen(argv[1], argv[2], argv[3], argv[4:])
    if argv[0] == "watch" and len(argv) == 2:
        from provision.platforms.linux import change, frr, running, undo

        assert running.__name__ != frr.__name__  # all of it is read now: the change may bring other files
        undo.watch(int(argv[1]), change.revert)
        return 0
    from provision.platforms.linux import disk

    with disk.locked():
        return _locked(argv)


def _locked(argv: list[str]) -> int:
    """The calls that look at or change the device, one at a time."""
    from provision.platforms.linux import change

    confirm = None
    if argv[0] in ("apply", "rollback") and "--confirm" in argv:
        place = argv.index("--confirm")
        seconds, name = (*argv[place + 1 : place + 3], "", "")[:2]
        if not (seconds.isdigit() and 0 < int(seconds) <= LONGEST_S and _ID.fullmatch(name)):
            print(f"device: --confirm {seconds} {name}: expected SECONDS (1-{LONGEST_S}) and an id", file=sys.stderr)
            return 2
        confirm = (float(seconds), name)
        del argv[place : place + 3]
    try:
        if argv == ["state"]:
            print(json.dumps(change.state()))
        elif argv[0] == "apply" and argv[1:] in ([], ["--check"]):
            return _shown(change.apply(json.load(sys.stdin), check=bool(argv[1:]), confirm=confirm))
        elif argv[0] == "rollback" and len(argv) == 2 and confirm and _ID.fullmatch(argv[1]):
            return _shown(change.rollback(argv[1], confirm))
        elif argv[0] in ("confirm", "revert") and len(argv) == 2:
            act = change.confirm if argv[0] == "confirm" else change.ask_revert
            print(json.dumps({"outcome": act(argv[1]), "errors": []}))
        elif argv == ["net"]:
            from provision.platforms.linux import running

            print("\n".join(running.bring_up()))
        else:
            print(f"device: {' '.join(argv)!r}: no such call; see device --help", file=sys.stderr)
            return 2
    except change.Refused as refused:
        print(json.dumps({"changed": False, "refused": True, "errors": [str(refused)]}))
        return 1
    return 0


def _shown(answer: dict[str, Any]) -> int:
    print(json.dumps(answer))
    return 1 if answer["errors"] else 0
