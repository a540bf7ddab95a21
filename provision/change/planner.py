"""Making a plan: ask the broker what every device would change, and say in which order, for whom, and how risky.

Nothing here writes to a device.  Wanted bytes are rendered here from the county's files, as the broker renders them;
what is on the devices comes from the broker, secrets masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from inventory.impact import ImpactMap
from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.broker.wire import BrokerError
from provision.change import applied, risk, stages, touches
from provision.change.diff import file_diff, printable
from provision.change.plan import (
    DevicePlan,
    FileChange,
    Plan,
    PlanError,
    bundle_fingerprint,
    county_fingerprint,
    state_fingerprint,
    text_sha256,
)
from provision.render import GROUPS, ConfigFile
from store.engine import Store
from store.queries import booked_meetings, link_states

Progress = Callable[[int, int], None]
"""Called with (devices that have answered, devices asked)."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the devices answered."""

    asked: int
    devices: Mapping[str, DevicePlan]  # only those that differ from the model, in the county's order
    failed: Mapping[str, str] = field(default_factory=dict)  # host -> why it could not be asked


@dataclass(frozen=True, slots=True)
class Window:
    """When the change may be applied; both aware."""

    start: datetime
    end: datetime


def look(
    client: BrokerClient, county: County, hosts: Iterable[str] | None = None, *, progress: Progress | None = None
) -> Looked:
    """Compare devices (default: all) with the model now.

    Raises:
        BrokerError: No broker answers, or the county's files have errors.
    """
    client.call("reload_model")
    asked = [host.name for host in county.model.appliances()] if hosts is None else list(hosts)
    failed: dict[str, str] = {}
    differing = {
        host: answer for host, answer in _many(client, "diff", asked, failed, progress).items() if answer.get("changed")
    }
    states = {host: answer["state"] for host, answer in differing.items() if answer.get("state")}
    states |= _many(client, "state", [host for host in differing if host not in states], failed, None)
    planned = {host: device_plan(county, host, differing[host], states[host]) for host in asked if host in states}
    return Looked(len(asked), planned, failed)


def _many(
    client: BrokerClient, method: str, hosts: list[str], failed: dict[str, str], progress: Progress | None
) -> dict[str, dict[str, Any]]:
    """The answers by host; hosts that gave none go into ``failed``."""
    answers: dict[str, dict[str, Any]] = {}
    heard = 0

    def on_event(event: dict[str, Any]) -> None:
        nonlocal heard
        heard += 1
        if "result" in event:
            answers[event["host"]] = event["result"]
        else:
            failed[event["host"]] = str(event["error"]["message"])
        if progress is not None:
            progress(heard, len(hosts))

    if hosts:
        client.call("many", method=method, hosts=hosts, on_event=on_event)
        for host in hosts:
            if host not in answers and host not in failed:
                failed[host] = "the broker gave no answer for it"
    return answers


def device_plan(county: County, name: str, diff: Mapping[str, Any], state: Mapping[str, Any]) -> DevicePlan:
    """One device's part, from the broker's ``diff`` and ``state`` of it and from the rendered files."""
    host = county.host(name)
    rendered = {file.path: file for file in county.files(name)}
    held: Mapping[str, Mapping[str, str]] = state.get("files", {})
    texts = {str(each["path"]): each for each in diff.get("diff", [])}
    files = tuple(
        _file_change(path, rendered.get(path), held.get(path), texts.get(path, {})) for path in diff.get("files", [])
    )
    running = tuple(printable(str(line)) for line in diff.get("running", []))
    parts = {file.group for file in files} | {line.partition(":")[0] for line in running}
    return DevicePlan(
        host=host.name,
        site=host.site,
        role=host.role.value,
        platform=host.platform,
        base=state_fingerprint(state),
        wanted=wanted(county, name),
        groups=tuple(group for group in GROUPS if group in parts) + tuple(sorted(parts - {*GROUPS})),
        files=files,
        running=running,
        commands=tuple(printable(str(line)) for line in diff.get("commands", [])),
    )


def wanted(county: County, name: str) -> str:
    """SHA-256 over all files that the device shall have: ``DevicePlan.wanted``."""
    return bundle_fingerprint((file.path, file.mode, file.text) for file in county.files(name))


def _file_change(
    path: str, wanted: ConfigFile | None, held: Mapping[str, str] | None, texts: Mapping[str, str]
) -> FileChange:
    before = str(texts.get("before", ""))
    existed = held is not None or before != ""
    change = "removed" if wanted is None else "changed" if existed else "created"
    return FileChange(
        path=path,
        group=wanted.group if wanted is not None else str(texts.get("group", "")) or _group_of(path),
        change=change,
        mode=wanted.mode if wanted is not None else "",
        before_sha256=held["sha256"] if held is not None else "",
        after_sha256=text_sha256(wanted.text) if wanted is not None else "",
        diff=file_diff(
            path,
            before,
            str(texts.get("after", "")),
            mode_before=held["mode"] if held is not None else "",
            mode_after=wanted.mode if wanted is not None else "",
        ),
    )


def _group_of(path: str) -> str:
    """The group of a file that the model no longer knows, where the broker does not tell it."""
    return "services" if path.startswith("/etc/sanwang/sv/") else "network"


def moved(planned: DevicePlan, now: DevicePlan | None) -> tuple[str, ...]:
    """Why a device is not as it was planned, in words; empty when state, wanted bytes and shown lines are the same.

    ``now`` is None when the device already is as the model says.
    """
    if now is None:
        return (f"{planned.host} already is as the model says: nothing of the plan is left to do there",)
    if now == planned:
        return ()
    reasons = []
    if now.base != planned.base:
        reasons.append(f"{planned.host}: its configuration is not the one that was planned on (base {now.base[:12]})")
    old, new = ({file.path: file for file in each.files} for each in (planned, now))
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            reasons.append(f"{planned.host}: {path} would no longer change")
        elif path not in old:
            reasons.append(f"{planned.host}: {path} would change too")
        elif old[path].after_sha256 != new[path].after_sha256:
            reasons.append(f"{planned.host}: {path} would become something else than was planned")
        elif old[path] != new[path] and now.base == planned.base:
            reasons.append(f"{planned.host}: {path} would not change as the plan shows")
    if now.commands != planned.commands and now.base == planned.base:
        reasons.append(f"{planned.host}: other commands would be typed than were planned")
    if not reasons:
        reasons.append(f"{planned.host}: what would change is not what was planned")
    return tuple(reasons)


def make_plan(
    looked: Looked, county: County, places: Places, store: Store, *, author: str, why: str, window: Window, before: str
) -> Plan:
    """The plan for what ``look`` found; ``before`` is the county's fingerprint taken before looking.

    Raises PlanError when the county's files changed meanwhile.
    """
    if county_fingerprint(county.folder) != before:
        raise PlanError(
            f"{county.folder}: the county's files: found changed while the devices were asked; expected at rest;"
            " run `sanwang plan` again"
        )
    model = county.model
    devices = tuple(looked.devices.values())
    now = datetime.now(UTC)
    with store.reading() as session:
        booked = booked_meetings(session, window.start - touches.OVERRUN, window.end + touches.OVERRUN)
        guard = touches.protection(model, link_states(session), now)
    impacts = ImpactMap(model)
    staged, concerned = touches.weigh(impacts, devices, stages.order(impacts, looked.devices), booked, guard)
    return Plan(
        county=model.name,
        instance=places.instance,
        environment=county.environment_name,
        fingerprint=before,
        author=author,
        why=why,
        made_at=now.isoformat(timespec="seconds"),
        window_start=window.start.astimezone(UTC).isoformat(timespec="seconds"),
        window_end=window.end.astimezone(UTC).isoformat(timespec="seconds"),
        devices=devices,
        stages=staged,
        touches=concerned,
        risk=risk.risk(model, devices, staged, concerned, applied.model(places)),
    )


def require_all(looked: Looked) -> None:
    """BrokerError of kind ``unreachable`` naming every device that could not be asked."""
    if looked.failed:
        lines = [f"{host}: {why}" for host, why in looked.failed.items()]
        count = f"{len(lines)} of {looked.asked} devices could not be asked"
        raise BrokerError(
            "unreachable", "\n".join([f"{count}, so no plan is whole (--limit leaves them out):", *lines])
        )
