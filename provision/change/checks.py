"""Why a plan may not be applied now: every reason at once, before the first line is sent, and again before each stage.

Reads the store, the county's files and (through the broker) the devices; writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inventory.impact import ImpactMap
from inventory.model import LinkKind, NetworkModel, Role
from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.change import approval, inband, planner, touches, ways
from provision.change.plan import Plan, PlanError, Stage, county_fingerprint
from provision.change.stages import backs_up
from store.engine import Store
from store.queries import booked_meetings, link_states

LINKS_MAY_BE_S = 30
"""A link state that was not checked for this long is too old to know: the collector writes every five seconds."""


class NotNow(Exception):
    """The plan is good, and the county is not in a state to take it (exit code 1); one line per reason."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


def signed(plan: Plan, model: NetworkModel, places: Places, folder: Path, now: datetime) -> None:
    """PlanError unless the plan is this instance's, for now, of these files, and two people stand behind it."""
    if plan.instance != places.instance:
        text = f"instance: found a plan for {plan.instance!r}; expected one for {places.instance!r}"
        raise PlanError(f"{text}; give --instance {plan.instance}")
    approval.check(plan, model, fingerprint=county_fingerprint(folder), now=now)
    if now < datetime.fromisoformat(plan.window_start):
        raise PlanError(
            f"window: found now; expected {plan.window_start} or later; wait, or plan with another --window"
        )


def devices(plan: Plan, client: BrokerClient, county: County, hosts: Collection[str]) -> list[str]:
    """Why these devices are not as they were planned on, in words; BrokerError when one does not answer."""
    if not hosts:
        return []
    looked = planner.look(client, county, [host for host in plan.hosts if host in hosts])
    planner.require_all(looked)
    words = [planner.moved(plan.device(host), looked.devices.get(host)) for host in plan.hosts if host in hosts]
    return [f"{word}: run `sanwang plan` again" for each in words for word in each]


class Guard:
    """Reasons that change with time: protection, meetings; and those of the plan's own shape."""

    def __init__(self, model: NetworkModel, store: Store) -> None:
        self._impacts = ImpactMap(model)
        self._model = model
        self._store = store

    def reasons(self, plan: Plan, stages: Sequence[Stage], lasts_s: float) -> list[str]:
        """Why these stages may not be applied within the next ``lasts_s`` seconds."""
        now = datetime.now(UTC)
        with self._store.reading() as session:
            seen = touches.protection(self._model, link_states(session), now)
            end = now + timedelta(seconds=lasts_s) + touches.OVERRUN
            booked = booked_meetings(session, now - touches.OVERRUN, end)
        risky = {device.host for device in plan.devices if touches.forwards(device)}
        found = []
        if any(host in risky for stage in stages for host in stage.hosts):
            found += self._protection(plan, stages, risky, seen)
        for stage in stages:
            found += self._both_arms(stage, risky)
            lost = touches.effect(self._impacts, [host for host in stage.hosts if host in risky], seen.down)
            for meeting in booked:
                if cut := [hall for hall in meeting.halls if hall in lost.halls_cut]:
                    found.append(
                        f"stage {stage.name}: meeting {meeting.id} ({meeting.title},"
                        f" {meeting.start_at.astimezone():%H:%M} to {meeting.end_at.astimezone():%H:%M}) could lose"
                        f" {', '.join(cut)}: apply after it"
                    )
        return found

    def _protection(self, plan: Plan, stages: Sequence[Stage], risky: set[str], seen: touches.Protection) -> list[str]:
        if seen.unseen:
            shown = ", ".join(seen.unseen[:4]) + (" ..." if len(seen.unseen) > 4 else "")
            return [f"protection is not known: nobody has looked at {shown}; is the collector up? `sanwang status`"]
        if seen.age_s is None or seen.age_s > LINKS_MAY_BE_S:
            return [
                f"protection is not known: the fibres' states are {seen.age_s} s old, and may be {LINKS_MAY_BE_S} s;"
                " is the collector up? `sanwang status`"
            ]
        found = []
        for alone in seen.unprotected:
            link = self._model.links[alone.link]
            ends = {end.host for end in link.ends} | {
                host.name for end in link.ends for host in self._model.site_hosts(self._model.hosts[end.host].site)
            }
            concerned = [stage.name for stage in stages if ends & risky & {*stage.hosts}]
            if link.kind is LinkKind.RING or concerned:
                found.append(
                    f"protection is already switched: {alone.because}, so {alone.link} carries alone: repair it first"
                )
        return found

    def _both_arms(self, stage: Stage, risky: set[str]) -> list[str]:
        """Two centre routers of which one stands in for the other, changed together."""
        centres = {
            self._model.hosts[host].site: host
            for host in stage.hosts
            if host in risky and self._model.hosts[host].role is Role.CORE
        }
        return [
            f"stage {stage.name} touches both arms at once: {' and '.join(centres[each] for each in sorted(pair))};"
            " plan again"
            for pair in backs_up(self._model)
            if pair <= centres.keys()
        ]


def in_band(plan: Plan, client: BrokerClient, county: County, stages: Sequence[Stage]) -> list[str]:
    """Stages after which the controller would no longer reach a device, or get into a switch, that it reaches now."""
    model, running = county.model, {}
    for device in plan.devices:
        if any(file.path in (inband.NETWORK, inband.FRR) for file in device.files):
            diff = client.call("diff", host=device.host)["diff"]
            running[device.host] = {each["path"]: each["before"] for each in diff if each["before"]}
    lost = inband.lost(model, running, [(stage.name, stage.hosts) for stage in stages])
    return _locked_out(plan, county) + [
        f"stage {name}: the controller would no longer reach {', '.join(hosts[:6])}"
        f"{f' and {len(hosts) - 6} more' if len(hosts) > 6 else ''} in band"
        for name, hosts in lost.items()
    ]


def _locked_out(plan: Plan, county: County) -> list[str]:
    """Switches whose planned configuration would not let the controller in."""
    model = county.model
    return [
        f"{device.host}: the controller would be locked out: {words}"
        for device in plan.devices
        if not model.hosts[device.host].linux
        for file in county.files(device.host)
        for words in ways.problems(model, model.hosts[device.host], file.text)
    ]
