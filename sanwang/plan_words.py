"""A plan on the terminal: what, for whom, how risky, in which order, and the lines."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console
from rich.text import Text

from provision.change.diff import counts, printable
from provision.change.plan import Plan

_COLOUR = {"low": "green", "medium": "yellow", "high": "red"}


def print_plan(saved: Plan, *, diff: bool) -> None:
    """The whole plan; without ``diff`` only the names of files."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for name, words, style in _head(saved):
        console.print(Text.assemble((f"{name:<10}", "bold"), (printable(words), style)))
    for host in saved.hosts:
        _print_device(console, saved, host, diff)


def _head(saved: Plan) -> list[tuple[str, str, str]]:
    """(label, text, style) of every line above the devices."""
    touches = saved.touches
    lines = [("plan", f"{saved.id} of county {saved.county}, by {saved.author}, {local(saved.made_at)}", "")]
    if saved.why:
        lines.append(("why", saved.why, ""))
    lines.append(("window", f"{local(saved.window_start)} to {local(saved.window_end)}", ""))
    lines.append(("devices", f"{len(saved.devices)}", ""))
    lines.append(("sites", ", ".join(touches.sites), ""))
    if touches.halls:
        lines.append(("halls", ", ".join(touches.halls), ""))
    for meeting in touches.meetings:
        lost = f"; loses {', '.join(meeting.cut)} should a stage fail" if meeting.cut else ""
        when = f"{local(meeting.start)} to {local(meeting.end)}"
        lines.append(("meeting", f"{meeting.id} {meeting.title}, {when}{lost}", "red" if meeting.cut else ""))
    for alone in touches.unprotected:
        lines.append(("alone", f"{alone.link}: {alone.because}", "red"))
    age = touches.links_age_s
    lines.append(("fibres", "the state of some is not known" if age is None else f"their state is {age} s old", ""))
    lines.append(("risk", saved.risk.level, _COLOUR.get(saved.risk.level, "")))
    lines += [("", reason, "") for reason in saved.risk.reasons]
    for number, stage in enumerate(saved.stages, 1):
        lost = f"; can cut {', '.join(stage.sites_cut)}" if stage.sites_cut else ""
        lines.append((f"stage {number}", f"{stage.name}: {', '.join(stage.hosts)}{lost}", ""))
    for approval in saved.approvals:
        lines.append(("approved", f"{approval.login}, {local(approval.at)} (verify: sanwang approve FILE --check)", ""))
    for evidence in saved.evidence:
        good = "good" if evidence.good else "BAD"
        style = "green" if evidence.good else "red"
        lines.append(("evidence", f"{evidence.kind}, {local(evidence.at)}: {good}, {evidence.words}", style))
    return lines


def _print_device(console: Console, saved: Plan, host: str, diff: bool) -> None:
    device = saved.device(host)
    loads = f" ({device.role} at {device.site}), loads again: {', '.join(device.groups)}"
    console.print(Text.assemble("\n", (device.host, "bold"), loads))
    for file in device.files:
        added, removed = counts(file.diff)
        console.print(printable(f"  {file.change} {file.path} (+{added} -{removed})"))
        for line in file.diff.splitlines() if diff else ():
            style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
            console.print(Text(f"    {printable(line)}", style=style))
    if device.commands:
        console.print(f"  {len(device.commands)} commands will be typed ({device.platform})")
    for line in device.commands if diff else ():
        console.print(Text(f"    > {printable(line)}", style="dim"))
    for line in device.running:
        console.print(printable(f"  running: {line}"))


def local(moment: str) -> str:
    """A moment of a plan (UTC, ISO 8601) in the terminal's own time; as it is where it is none."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return moment
