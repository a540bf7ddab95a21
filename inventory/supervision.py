"""Time limits and supervision as the county's files have them (the model): classes, teams, escalation, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.workdays import Limit, WorkCalendar

REQUESTS = ("new-site", "bandwidth", "opening", "meeting")
"""What a unit may ask for: to be connected, a faster line, an opening in the firewall, a meeting."""

LASTING_S = 30
"""A fault that is over sooner has no ticket, unless its class says otherwise: nobody could have answered it."""

GRANTABLE = ("meeting",)
"""Requests that silence may grant (超时默认): one that harms nobody and can be taken back."""


@dataclass(frozen=True, slots=True)
class TicketClass:
    """A class of faults, reports or requests and its time limits (限时办结)."""

    name: str
    zh: str
    en: str
    kind: str  # "fault", "report" or "request"
    request: str  # one of REQUESTS, "" for the other kinds
    team: str  # that handles it at first
    respond: Limit  # somebody accepts it
    restore: Limit  # it is restored, or the request answered
    yellow_share: float  # of the limit that is spent when the yellow card comes
    deemed_granted: bool  # granted when overdue
    severity: str  # faults: "critical", "warning" or "" for either
    cuts: bool | None  # faults: whether a site or service is cut off; None: either
    lasting_s: int  # faults: one over sooner has no ticket; it stands in the fault book all the same
    source: str  # the rule that the limits follow

    def takes(self, severity: str, cuts: bool) -> bool:
        """True when a fault of that severity belongs here."""
        return self.kind == "fault" and self.severity in ("", severity) and self.cuts in (None, cuts)


@dataclass(frozen=True, slots=True)
class Team:
    """People who handle tickets together; scored as one."""

    name: str
    zh: str
    en: str
    members: tuple[str, ...]  # logins


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to call at a unit."""

    name: str
    phone: str
    mail: str = ""  # where it is asked to meetings


@dataclass(frozen=True, slots=True)
class Escalation:
    """One step of the chain: so long after a late response, a yellow or a red card these are told."""

    at: str  # "respond", "yellow" or "red"
    after: Limit | None  # None: at once
    to: tuple[str, ...]  # roles, logins, "team" (the ticket's) or "unit" (the ticket's contact)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a month's score comes about: weighted shares up to 100, less points for each of the rest."""

    on_time: float  # weight of the share handled in time
    satisfaction: float  # weight of the units' marks; falls to on_time when nobody gave any
    yellow: float  # points off for each card ...
    red: float
    late_response: float
    correction: float
    reopened: float
    slow_answer: float  # a unit that let a ticket wait for it longer than ``Supervision.answer``


@dataclass(frozen=True, slots=True)
class Supervision:
    """Everything that the desk goes by."""

    calendar: WorkCalendar
    classes: Mapping[str, TicketClass]  # in written order: a fault belongs to the first that takes it
    teams: Mapping[str, Team]
    contacts: Mapping[str, Contact]  # by site
    escalation: tuple[Escalation, ...]
    scoring: Scoring
    answer: Limit  # what a unit has to answer in
    close_after: Limit  # a restored ticket nobody objects to is closed
    site_targets: Mapping[str, float]  # share of the month that a site of a kind is in service; "" for the others
    service_targets: Mapping[str, float]  # the same by service

    def fault_class(self, severity: str, cuts: bool) -> TicketClass:
        """Where a fault belongs."""
        return next(each for each in self.classes.values() if each.takes(severity, cuts))

    def of_kind(self, kind: str, request: str = "") -> TicketClass:
        """The class of reports, or of a kind of request."""
        return next(each for each in self.classes.values() if (each.kind, each.request) == (kind, request))

    def team_of(self, login: str) -> str:
        """The first team that a person is in; "" for none."""
        return next((name for name, team in self.teams.items() if login in team.members), "")

    def site_target(self, kind: str) -> float:
        """What is promised to a site of this kind."""
        return self.site_targets.get(kind, self.site_targets.get("", 0.0))

    def service_target(self, name: str) -> float:
        """What is promised of a service."""
        return self.service_targets.get(name, self.service_targets.get("", 0.0))
