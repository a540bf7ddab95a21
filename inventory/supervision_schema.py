"""The sections ``calendar:`` and ``supervision:`` as engineers write them; see ``inventory.schema``."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from inventory.written import Code, Name, Named, Text, Written

LIMIT = r"^[1-9][0-9]{0,3}(m|h|d|wm|wh|wd)$"
HOURS = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"
YEAR = r"^20[0-9]{2}$"
MAIL = r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}$"
PHONE = r"^[0-9+*#. -]{2,24}$"

LimitText = Annotated[str, StringConstraints(pattern=LIMIT)]
Share = Annotated[float, Field(gt=0, lt=1)]
Points = Annotated[float, Field(ge=0, le=100)]


class HolidayIntent(Named):
    """Days off, and the weekend days that are worked for them (调休)."""

    first: Annotated[datetime.date, Field(alias="from")]
    last: Annotated[datetime.date, Field(alias="to")]
    work: tuple[datetime.date, ...] = ()


class YearIntent(Written):
    """One year by the State Council's notice."""

    source: Text
    holidays: Annotated[tuple[HolidayIntent, ...], Field(min_length=1)]


class CalendarIntent(Written):
    """Working hours of the county, and the years whose notice is known."""

    hours: Annotated[tuple[Annotated[str, StringConstraints(pattern=HOURS)], ...], Field(min_length=1, max_length=4)]
    years: dict[Annotated[str, StringConstraints(pattern=YEAR)], YearIntent] = {}


class ClassIntent(Named):
    """A class of faults, reports or requests with its time limits."""

    kind: Literal["fault", "report", "request"]
    request: Literal["", "new-site", "bandwidth", "opening", "meeting"] = ""
    severity: Literal["", "critical", "warning"] = ""
    cuts: bool | None = None
    team: Code
    respond: LimitText
    restore: LimitText
    yellow: Share = 0.75
    overdue: Literal["escalate", "grant"] = "escalate"
    lasting_s: Annotated[int | None, Field(ge=0, le=3600)] = None
    source: Text


class TeamIntent(Named):
    """People who handle tickets together."""

    members: Annotated[tuple[Name, ...], Field(min_length=1)]


class ContactIntent(Written):
    """Whom to call at a unit, and where its mail about meetings goes."""

    name: Text
    phone: Annotated[str, StringConstraints(pattern=PHONE)]
    mail: Annotated[str, StringConstraints(pattern=MAIL)] | None = None


class EscalationIntent(Written):
    """One step of the chain."""

    at: Literal["respond", "yellow", "red"]
    after: LimitText | None = None
    to: Annotated[tuple[Name, ...], Field(min_length=1)]


class ScoringIntent(Written):
    """Weights and points of a month's score."""

    on_time: Points = 70.0
    satisfaction: Points = 30.0
    yellow: Points = 1.0
    red: Points = 4.0
    late_response: Points = 1.0
    correction: Points = 5.0
    reopened: Points = 2.0
    slow_answer: Points = 2.0


class TargetsIntent(Written):
    """What share of a month something is promised to be in service; ``default`` for what is not named."""

    default: Share
    sites: dict[Name, Share] = {}  # by kind of site
    services: dict[Name, Share] = {}


class SupervisionIntent(Written):
    """Time limits, cards, escalation, scores."""

    teams: Annotated[dict[Code, TeamIntent], Field(min_length=1)]
    classes: Annotated[dict[Name, ClassIntent], Field(min_length=1)]
    escalation: tuple[EscalationIntent, ...] = ()
    contacts: dict[Code, ContactIntent] = {}
    scoring: ScoringIntent = ScoringIntent()
    answer: LimitText = "3wd"
    close_after: LimitText = "3d"
    targets: TargetsIntent
