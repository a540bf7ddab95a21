#!/usr/bin/python3 -SE
"""The device tool: what this appliance has, and the one way to change it.

Pushed to /etc/sanwang/bin/device at enrolment; standard library only.  Usage::

    device state                    JSON: file hashes, running configuration per group, what drifted
    device apply [--check] <bundle  JSON in: {"files": [{"path", "mode", "text", "group"}], "groups": null or [...]}
                                    JSON out: {"changed", "groups", "files": [{"path", "group", "change", "before"}],
                                    "running": [what drifted], "done": [...], "rolled_back", "errors": [...]}
    device net                      bring links, addresses and routes to /etc/sanwang/network.json
    device boot                     start of the machine: rulesets, network, forwarding; then stays
    device listen VRF ADDRESS PORT ARGV...   open a UDP socket in a VRF and become ARGV, which inherits it

``state`` gives {"files": {path: {"sha256", "mode"}}, "running": {group: hash}, "drift": {group: [what differs]}}.
Exit codes: 0 good, 1 it failed (and what was there before is back), 2 bad input.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

LEDGER = "/var/lib/sanwang-device/applied.json"
_LOCK = "/run/sanwang-device.lock"
_SERVICES = "/etc/sanwang/sv/"
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000


def _come_home() -> None:
    """Enter the device's own namespaces: a session of the management VRF starts in another."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, flag in (("net", _CLONE_NEWNET), ("mnt", _CLONE_NEWNS)):
        if os.stat(f"/proc/1/ns/{kind}").st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino:
            handle = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY)
            if libc.setns(handle, flag):
                raise OSError(ctypes.get_errno(), f"/proc/1/ns/{kind}")
            os.close(handle)
    os.chdir("/")


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One change at a time."""
    with open(_LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ledger() -> dict[str, Any]:
    """What was applied last: {"files": {path: group}, "fingerprints": {group: hash}}."""
    try:
        with open(LEDGER, encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
            return found
    except (FileNotFoundError, ValueError):
        return {"files": {}, "fingerprints": {}}


def _read(path: str) -> tuple[str | None, str]:
    """Text and mode of a file; (None, "") when it is not there."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(), f"{os.fstat(file.fileno()).st_mode & 0o7777:04o}"
    except (FileNotFoundError, IsADirectoryError):
        return None, ""


def write(path: str, text: str, mode: str) -> None:
    """Replace a file as a whole: a reader sees the old or the new, and so does a power cut."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = path + ".new"
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        os.fchmod(file.fileno(), int(mode, 8))
    os.rename(beside, path)
    if path.startswith("/etc/frr/"):
        import shutil

        shutil.chown(path, "frr", "frr")


def state() -> dict[str, Any]:
    """Hashes of our files, the running configuration, and what differs from what was applied."""
    ledger = _ledger()
    files = {}
    for path in ledger["files"]:
        text, mode = _read(path)
        if text is not None:
            files[path] = {"sha256": hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest(), "mode": mode}
    if not ledger["files"]:
        return {"files": {}, "running": {}, "drift": {}}
    from provision.platforms.linux import running

    prints, drift = running.survey(ledger)
    return {"files": files, "running": prints, "drift": drift}


def apply(bundle: dict[str, Any], check: bool) -> dict[str, Any]:
    """Write what differs, reload the groups concerned, put everything back when a reload fails."""
    ledger = _ledger()
    groups = bundle.get("groups")
    wanted = {file["path"]: file for file in bundle["files"]}
    gone = [
        path for path, group in ledger["files"].items() if path not in wanted and (groups is None or group in groups)
    ]
    before: dict[str, tuple[str | None, str]] = {}
    changes: list[dict[str, str]] = []
    for path, file in wanted.items():
        old = _read(path)
        if old != (file["text"], file["mode"]):
            before[path] = old
            changes.append(
                {
                    "path": path,
                    "group": file["group"],
                    "change": "created" if old[0] is None else "changed",
                    "before": old[0] or "",
                }
            )
    for path in gone:
        old = _read(path)
        if old[0] is not None:
            before[path] = old
            changes.append({"path": path, "group": ledger["files"][path], "change": "removed", "before": old[0]})
    drift: dict[str, list[str]] = {}
    if ledger["files"] and os.path.exists(_library("running.py")):
        from provision.platforms.linux import running

        found = running.survey(ledger)[1]
        drift = {group: lines for group, lines in found.items() if groups is None or group in groups}
    touched = {each["group"] for each in changes} | set(drift)
    answer: dict[str, Any] = {
        "changed": bool(touched),
        "groups": sorted(touched),
        "files": changes,
        "running": [f"{group}: {line}" for group, lines in sorted(drift.items()) for line in lines],
        "done": [],
        "rolled_back": False,
        "errors": [],
    }
    if check or not touched:
        return answer
    for each in changes:
        if each["change"] != "removed":
            write(each["path"], wanted[each["path"]]["text"], wanted[each["path"]]["mode"])
    _forget_modules()
    from provision.platforms.linux import running

    kept = {path: group for path, group in ledger["files"].items() if path not in gone}
    after = {
        "files": kept | {path: file["group"] for path, file in wanted.items()},
        "fingerprints": ledger["fingerprints"],
    }
    try:
        answer["done"] = running.reload(touched, {each["path"] for each in changes}, after)
        for path in gone:
            _remove(path)
    except Exception as problem:  # whatever went wrong: the device must not stay half changed
        answer["errors"] = [str(problem) or repr(problem)]
        answer["rolled_back"] = _undo(before, touched, ledger)
        return answer
    after["fingerprints"] = running.fingerprints(after)
    write(LEDGER, json.dumps(after), "0600")
    return answer


def _undo(before: dict[str, tuple[str | None, str]], touched: set[str], ledger: dict[str, Any]) -> bool:
    """Put the old files back and load them; True when the device is as it was."""
    from provision.platforms.linux import running

    for path, (text, mode) in before.items():
        if text is not None:
            write(path, text, mode)
        elif not path.startswith("/etc/sanwang/bin/"):  # the tool itself stays: it may be the device's first
            _remove(path)
    if not ledger["files"]:
        return False
    try:
        running.reload(touched, set(before), ledger)
    except Exception as problem:
        print(f"device: could not load what was there before: {problem}", file=sys.stderr)
        return False
    return True


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
    if path.startswith(_SERVICES):
        from provision.platforms.linux import running

        running.retire(os.path.basename(os.path.dirname(path)))


def _library(name: str) -> str:
    return os.path.join(sys.path[0], "provision/platforms/linux", name)


def _forget_modules() -> None:
    """Load the tool's own modules again: the bundle may have brought newer ones."""
    import importlib

    for name in [each for each in sys.modules if each.startswith("provision")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def boot() -> None:
    """Bring the machine's network up from its disk, then stay; fails closed."""
    from provision.platforms.linux import running

    while True:
        try:
            with _locked():  # an apply that is under way brings the network up itself
                running.bring_up()
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
    with _locked():
        if argv == ["state"]:
            print(json.dumps(state()))
        elif argv[0] == "apply" and argv[1:] in ([], ["--check"]):
            answer = apply(json.load(sys.stdin), check=bool(argv[1:]))
            print(json.dumps(answer))
            return 1 if answer["errors"] else 0
        elif argv == ["net"]:
            from provision.platforms.linux import running

            print("\n".join(running.bring_up()))
        else:
            print(
                f"device: {' '.join(argv)!r}: expected state, apply, net, boot or listen; see device --help",
                file=sys.stderr,
            )
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
