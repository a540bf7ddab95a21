"""Speaking to the device tool (``provision/platforms/linux/calls.py``) on a device.

``device apply`` takes one JSON document on its standard input and gives one on its standard output; whatever it shows
of files is masked here, before anything leaves the broker.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from provision.broker.driver import Applied, Change, File
from provision.broker.masking import mask
from provision.broker.session import DeviceSession
from provision.broker.wire import BrokerError

FOLDER = "/etc/sanwang/bin/"
DEVICE = FOLDER + "device"
APPLY_TIMEOUT_S = 200.0
SHOWN_LIMIT = 200_000
"""Longest text of one file in a diff, in characters."""

# First contact: writes the tool's own files, which arrive as JSON, each whole or not at all.
_INSTALL = (
    "python3 -c 'import json,os,sys\n"
    "for f in json.load(sys.stdin):\n"
    "    os.makedirs(os.path.dirname(f[0]), exist_ok=True)\n"
    '    h = os.open(f[0] + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, int(f[1], 8))\n'
    "    os.write(h, f[2].encode()); os.fchmod(h, int(f[1], 8)); os.close(h)\n"
    '    os.rename(f[0] + ".new", f[0])\''
)

_CLOSE_STAGING = (
    # out of the supervisor's sight first, or it starts the service again between stopping and removing it
    "cd /etc/sanwang/sv && test -e staging-sshd || exit 9; mv staging-sshd ../staging-gone;"
    " sv force-shutdown /etc/sanwang/staging-gone >/dev/null 2>&1;"
    " rm -rf /etc/sanwang/staging-gone /etc/sanwang/staging || exit 1"
)
# The port is the device's own, whereas a login on a router lands in its management VRF.
_SHUT_PORT = "; nsenter -t 1 -n sh -c 'ip address flush dev stg0; ip link set dev stg0 down'"
_STAGING_OPEN = "test -e /etc/sanwang/sv/staging-sshd || exit 9"


def install(session: DeviceSession, files: Collection[File]) -> None:
    """Put the device tool itself onto a fresh device."""
    own = [[file.path, file.mode, file.text] for file in files if file.path.startswith(FOLDER)]
    done = session.run(_INSTALL, json.dumps(own).encode())
    if done.code:
        raise BrokerError(
            "device", f"{session.where.host}: the device tool was not installed: {done.err.strip()[-500:]}"
        )


def state(session: DeviceSession) -> dict[str, Any]:
    """File hashes and fingerprints of the running configuration."""
    return _ask(session, "state", b"", {})


def apply(
    session: DeviceSession,
    files: Collection[File],
    *,
    groups: Collection[str] | None,
    check: bool,
    secrets: Mapping[str, str],
    confirm: tuple[int, str] | None = None,
) -> Applied:
    """Make the device what ``files`` say, or with ``check`` find out what that would change.

    ``confirm``: (seconds, id); the device undoes it by itself unless ``end(session, "confirm", id)`` comes in time.

    ``secrets`` are the private values in ``files`` by name; they are masked in what comes back.  A tool that has just
    replaced itself is run once more, so that the newest one has the last word.
    """
    bundle = {
        "files": [{"path": file.path, "mode": file.mode, "text": file.text, "group": file.group} for file in files],
        "groups": sorted(groups) if groups is not None else None,
    }
    data = json.dumps(bundle, ensure_ascii=False).encode()
    command = "apply --check" if check else f"apply --confirm {confirm[0]} {confirm[1]}" if confirm else "apply"
    first = _applied(_ask(session, command, data, secrets), files, secrets)
    # A box that got new programs is looked at once more: by the new tool, and because a permanent neighbour of an
    # overlay was seen to be missing right after a box's very first apply (once in some hundred overlays).
    if check or not any(change.path.startswith(FOLDER) for change in first.files):
        return first
    again = _applied(_ask(session, command, data, secrets), files, secrets)
    return Applied(True, first.files + again.files, first.running + again.running, again.pending or first.pending)


def rollback(session: DeviceSession, of: str, *, confirm: tuple[int, str]) -> Applied:
    """Bring back what there was before the confirmed change ``of``, to be confirmed like any other."""
    answer = _ask(session, f"rollback {of} --confirm {confirm[0]} {confirm[1]}", b"", {})
    return _applied(answer, (), {})


def end(session: DeviceSession, how: str, change: str) -> str:
    """``confirm`` or ``revert`` a pending change; what came of it, in a word or two."""
    return str(_ask(session, f"{how} {change}", b"", {})["outcome"])


def close_staging(session: DeviceSession, *, check: bool, keep_port: bool) -> bool:
    """Take the staging service away for good; True when it was still there.

    ``keep_port``: the management host's own staging port stays, as it reaches other devices' ports through it.
    """
    command = _STAGING_OPEN if check else _CLOSE_STAGING + ("" if keep_port else _SHUT_PORT)
    done = session.run(command)
    if done.code not in (0, 9):
        raise BrokerError("device", f"{session.where.host}: the staging port was not shut: {done.err.strip()}")
    return done.code == 0


def _ask(session: DeviceSession, command: str, data: bytes, secrets: Mapping[str, str]) -> dict[str, Any]:
    done = session.run(f"{DEVICE} {command}", data, timeout_s=APPLY_TIMEOUT_S)
    last = done.out.strip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        said = mask((done.err or done.out).strip()[-600:], secrets)
        raise BrokerError("device", f"{session.where.host}: device {command} ended with {done.code}: {said}")
    errors = answer.get("errors") or []
    if done.code or errors:
        said = mask("; ".join(map(str, errors)) or done.err.strip()[-600:], secrets)
        raise BrokerError("device", f"{session.where.host}: device {command}: {said}")
    return answer


def _applied(answer: dict[str, Any], files: Collection[File], secrets: Mapping[str, str]) -> Applied:
    texts = {file.path: file.text for file in files}
    changes = []
    for each in answer.get("files", []):
        path, before = str(each["path"]), str(each.get("before") or "")
        after = texts.get(path, "")
        changes.append(Change(path, mask(before, secrets)[:SHOWN_LIMIT], mask(after, secrets)[:SHOWN_LIMIT]))
    running = [mask(str(line), secrets) for line in answer.get("running", [])]
    changed = bool(answer.get("changed", changes or running))
    return Applied(changed, changes, running, answer.get("pending"), state=answer.get("state"))
