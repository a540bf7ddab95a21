"""One change of this appliance: write what differs, load it, or have everything as it was before.

Standard library only: it runs on the device.
"""

from __future__ import annotations

import json
import os
import sys

from provision.platforms.linux import disk, undo

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any

_SERVICES = "/etc/sanwang/sv/"
_TOOL = "/etc/sanwang/bin/"


class Refused(Exception):
    """The change is not begun: nothing was touched."""


def apply(bundle: dict[str, Any], *, check: bool, confirm: tuple[float, str] | None = None) -> dict[str, Any]:
    """Write what differs, reload the groups concerned, put everything back when a reload fails.

    ``confirm``: (seconds, id): the device undoes the change by itself unless ``device confirm ID`` comes in time.  The
    same id again goes on where it was and starts its time anew; any other is refused while one is pending.
    """
    held = None if check else _held(confirm)
    ledger = disk.ledger()
    groups = bundle.get("groups")
    wanted = {file["path"]: file for file in bundle["files"]}
    before, changes = _differences(ledger, wanted, groups, bundle.get("remove"))
    prints, everything = _survey(ledger)
    drift = {group: lines for group, lines in everything.items() if groups is None or group in groups}
    touched = {each["group"] for each in changes} | set(drift)
    answer: dict[str, Any] = {
        "changed": bool(touched),
        "groups": sorted(touched),
        "files": changes,
        "running": [f"{group}: {line}" for group, lines in sorted(drift.items()) for line in lines],
        "done": [],
        "rolled_back": False,
        "errors": [],
        "pending": None,
    }
    if check and touched:
        answer["state"] = seen(ledger, prints, everything)
    if check or not (touched or held):
        return answer
    after = {path: disk.digest(file["text"]) for path, file in wanted.items() if path in before}
    record = {
        "id": confirm[1] if confirm else "",
        "phase": "applying",
        **undo.clock(confirm[0] if confirm else 0.0),
        "before": {**before, **(held["before"] if held else {})},
        "after": {**(held["after"] if held else {}), **dict.fromkeys(before), **after},
        "groups": sorted(touched | set(held["groups"] if held else ())),
        "ledger": held["ledger"] if held else ledger,
        "pid": os.getpid(),
    }
    try:
        _begin(record, wanted, changes, held, timed=confirm is not None)
    except (OSError, RuntimeError, Refused) as problem:
        answer["errors"] = [f"nothing was changed: {problem}"]
        return answer
    # What drifted in groups that were not asked for goes on counting as drift.
    still = {
        group: ledger["fingerprints"][group] for group in (set(everything) - touched) & set(ledger["fingerprints"])
    }
    _carry_out(record, wanted, changes, touched, ledger, still, answer)
    if confirm and not answer["errors"]:
        answer["pending"] = {"id": confirm[1], "left_s": round(undo.left_s(record), 1)}
    return answer


def _held(confirm: tuple[float, str] | None) -> dict[str, Any] | None:
    """The pending change that this one goes on with; what somebody left half done is undone first."""
    held = undo.load()
    if held is not None and held["phase"] == "applying":  # we have the lock: who began it is dead
        revert(held, "it was cut off half way")
        return None
    if held is not None and (confirm is None or confirm[1] != held["id"]):
        raise Refused(
            f"change {held['id']} waits for its confirmation for another {undo.left_s(held):.0f} s:"
            " confirm or revert it first"
        )
    return held


def _differences(
    ledger: dict[str, Any], wanted: dict[str, Any], groups: list[str] | None, remove: list[str] | None
) -> tuple[dict[str, tuple[str | None, str]], list[dict[str, str]]]:
    """(path -> text and mode before, one row per file) of what differs on the disk."""
    owned = ledger["files"]
    if remove is None:
        remove = [path for path, group in owned.items() if path not in wanted and (groups is None or group in groups)]
    before: dict[str, tuple[str | None, str]] = {}
    changes: list[dict[str, str]] = []
    for path, file in wanted.items():
        old = disk.read(path)
        if old != (file["text"], file["mode"]):
            before[path] = old
            what = "created" if old[0] is None else "changed"
            changes.append({"path": path, "group": file["group"], "change": what, "before": old[0] or ""})
    for path in remove:
        old = disk.read(path)
        if old[0] is not None:
            before[path] = old
            changes.append({"path": path, "group": owned[path], "change": "removed", "before": old[0]})
    return before, changes


def _survey(ledger: dict[str, Any]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Fingerprints and drift of what runs; nothing where nothing was ever applied."""
    if not ledger["files"] or not os.path.exists(os.path.join(sys.path[0], "provision/platforms/linux/running.py")):
        return {}, {}
    from provision.platforms.linux import running

    return running.survey(ledger)


def seen(ledger: dict[str, Any], prints: dict[str, str], drift: dict[str, list[str]]) -> dict[str, Any]:
    """What ``state`` tells of the device."""
    files = {}
    for path in ledger["files"]:
        text, mode = disk.read(path)
        if text is not None:
            files[path] = {"sha256": disk.digest(text), "mode": mode}
    groups = {path: ledger["files"][path] for path in files}
    return {"files": files, "groups": groups, "running": prints, "drift": drift, **undo.shown()}


def state() -> dict[str, Any]:
    """Hashes of our files, the running configuration, what differs from what was applied, and what is not confirmed."""
    tend()
    ledger = disk.ledger()
    return seen(ledger, *_survey(ledger))


def _begin(
    record: dict[str, Any],
    wanted: dict[str, Any],
    changes: list[dict[str, str]],
    held: dict[str, Any] | None,
    *,
    timed: bool,
) -> None:
    """Everything that may fail without harm: what there was is kept, the timer runs, every new text is on the disk."""
    if record["ledger"]["files"]:
        undo.save(record)
    elif timed:
        raise Refused("nothing was ever applied here, so there is nothing to go back to: enrol it first")
    staged = []
    try:
        if timed:
            undo.start_timer()
        for each in changes:
            if each["change"] != "removed":
                disk.stage(each["path"], wanted[each["path"]]["text"], wanted[each["path"]]["mode"])
                staged.append(each["path"])
    except (OSError, RuntimeError):
        for path in staged:
            disk.unlink(path + ".new")
        if held is not None:
            undo.save(held)  # what was sent of this change before still waits
        else:
            _forget(record, "refused")
        raise


def _forget(record: dict[str, Any], outcome: str, why: str = "") -> None:
    if record["ledger"]["files"]:
        undo.drop(record, outcome, why)


def _carry_out(
    record: dict[str, Any],
    wanted: dict[str, Any],
    changes: list[dict[str, str]],
    touched: set[str],
    ledger: dict[str, Any],
    still: dict[str, str],
    answer: dict[str, Any],
) -> None:
    """Make the staged texts the files, load them, remember; or put back what was there."""
    gone = [each["path"] for each in changes if each["change"] == "removed"]
    after = {
        "files": {path: group for path, group in ledger["files"].items() if path not in gone}
        | {path: file["group"] for path, file in wanted.items()},
        "fingerprints": ledger["fingerprints"],
    }
    try:
        for each in changes:
            if each["change"] != "removed":
                disk.take(each["path"])
        _forget_modules()
        from provision.platforms.linux import running

        if touched:
            answer["done"] = running.reload(touched, {each["path"] for each in changes}, after)
        for path in gone:
            _remove(path)
        after["fingerprints"] = running.fingerprints(after) | still
        disk.write(disk.LEDGER, json.dumps(after), "0600")
    except Exception as problem:  # whatever went wrong: the device must not stay half changed
        answer["errors"] = [str(problem) or repr(problem)]
        try:
            put_back(record)
        except Exception as again:
            # with a timer, or at the next call, once more
            answer["errors"].append(f"what was there before could not be loaded: {again}")
            return
        answer["rolled_back"] = bool(record["ledger"]["files"])
        _forget(record, "reverted", answer["errors"][0][:500])
        return
    if record["id"]:
        undo.save(record | {"phase": "armed"})
    elif record["ledger"]["files"]:
        undo.drop(record, "done")


def put_back(record: dict[str, Any], *, load: bool = True) -> None:
    """The files as they were before, and (``load``) the running configuration with them."""
    for path, (text, mode) in record["before"].items():
        if text is not None:
            disk.write(path, text, mode)
        elif not path.startswith(_TOOL):  # the tool itself stays: it may be the device's first
            _remove(path)
    ledger = record["ledger"]
    if not ledger["files"]:
        return
    if load:
        from provision.platforms.linux import running

        running.reload(set(record["groups"]), set(record["before"]), ledger)
    disk.write(disk.LEDGER, json.dumps(ledger), "0600")


def revert(record: dict[str, Any], why: str) -> None:
    """Undo the pending change; whatever keeps that from going well is raised, and the record stays."""
    put_back(record)
    undo.drop(record, "reverted", why)


def confirm(name: str) -> str:
    """Keep the pending change; fine twice.  Refused when it is not here any more."""
    held = undo.load()
    if held is not None and held["id"] == name and held["phase"] == "armed":
        undo.keep(held)
        undo.drop(held, "confirmed")
        return "confirmed"
    if held is not None and held["id"] == name:
        revert(held, "it was cut off half way")
    last = disk.document(undo.LAST) or {}
    if last.get("id") == name and last.get("outcome") == "confirmed":
        return "confirmed already"
    ended = f": it was {last['outcome']} ({last['why']})" if last.get("id") == name else ""
    raise Refused(f"change {name} does not wait for a confirmation here{ended}")


def ask_revert(name: str) -> str:
    """Undo the pending change now; fine twice."""
    held = undo.load()
    if held is not None and held["id"] == name:
        revert(held, "asked to")
        return "reverted"
    last = disk.document(undo.LAST) or {}
    if last.get("id") == name and last.get("outcome") == "confirmed":
        raise Refused(f"change {name} was confirmed already: roll it back instead")
    return "not pending"


def rollback(name: str, confirm: tuple[float, str]) -> dict[str, Any]:
    """Bring the files of a confirmed change back to what they were before it, as a change of its own.

    Refused when a later change touched one of them: that one is rolled back first.
    """
    kept = undo.kept(name)
    if kept is None:
        raise Refused(f"what there was before change {name} is not kept here")
    owned = disk.ledger()["files"]
    back: dict[str, Any] = {"files": [], "remove": [], "groups": kept["groups"]}
    for path, (text, mode) in kept["before"].items():
        now = disk.read(path)[0]
        if now != text and (None if now is None else disk.digest(now)) != kept["after"][path]:
            raise Refused(f"{path} was changed again after {name}: roll that change back first")
        if text is not None:
            back["files"].append({"path": path, "mode": mode, "text": text, "group": kept["owners"][path]})
        elif path in owned:
            back["remove"].append(path)
    return apply(back, check=False, confirm=confirm)


def at_boot(*, fresh: bool) -> None:
    """The machine starts: a change that was cut off, or whose time is over, is undone before anything uses it.

    ``fresh``: nothing runs yet, so the files are enough.
    """
    record = undo.load()
    if record is None or (record["phase"] == "armed" and undo.left_s(record) > 0):
        return
    put_back(record, load=not fresh)
    undo.drop(record, "reverted", "the device restarted before it was confirmed")


def _remove(path: str) -> None:
    disk.unlink(path)
    if path.startswith(_SERVICES):
        from provision.platforms.linux import running

        running.retire(os.path.basename(os.path.dirname(path)))


def tend() -> None:
    """What a call of the tool finds: a change that was cut off is undone, a timer that died is started again."""
    held = undo.load()
    if held is not None and held["phase"] == "applying":
        revert(held, "it was cut off half way")
    elif held is not None and not undo.watched():
        undo.start_timer()


def _forget_modules() -> None:
    """Load the tool's own modules again: the bundle may have brought newer ones."""
    for name in [each for each in sys.modules if each.startswith("provision")]:
        del sys.modules[name]
    import importlib

    importlib.invalidate_caches()
