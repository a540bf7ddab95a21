"""The words of each command line: prompts, views, questions, how it takes a change and how it takes it back.

Sources: Huawei NetEngine/CloudEngine V800 and S-series V200 command references, H3C "Configuration file management"
(Comware 7), Ruijie RG-S series configuration guides, ZTE ZXR10 5900/8900E command references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Confirm = Literal["trial", "delay", "restart"]
"""How a device undoes itself: VRP8's ``commit trial``, Comware's ``configuration commit delay``, or by a restart that
was scheduled before the change and brings back what was saved."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a command is known to ask, and the answer that means "yes, as I said"."""

    command: str  # regex, at the start of the line sent
    asks: str  # regex, in the question
    answer: str


@dataclass(frozen=True, slots=True)
class Restart:
    """How a restart is scheduled; all of it is said outside configuration mode."""

    arm: str  # {minutes}, or {hours} and {rest} of them
    cancel: str
    shown: str
    armed: str  # regex: what ``shown`` answers while one is scheduled


@dataclass(frozen=True, slots=True)
class Words:
    """One vendor's command line; regexes are searched, without flags, unless said otherwise."""

    name: str
    prompt: str  # "{name}" is the device's name, escaped; matches in every view
    configuring: str  # the same, only in configuration mode
    any_prompt: str  # the first prompt of a session, when the name is not known yet; group "name"
    enter: str
    leave: str
    up: str  # out of one view
    paging: tuple[str, ...]
    running: str
    saved: str
    save: str
    saved_words: str  # what the device says when it has saved
    errors: tuple[str, ...]  # regexes over one answer, ^ and $ of lines, upper and lower case alike
    confirm: Confirm
    two_phase: bool
    rename: str  # regex of the line that changes the device's name; group "name"
    enable: str = ""
    questions: tuple[Question, ...] = ()
    restart: Restart | None = None  # where ``confirm`` is "restart"


_HUAWEI_ERRORS = (r"^\s*Error:.*$", r"^\s*\^\s*$", r"^\s*(?:Failed to|Operation failed).*$")
_HUAWEI_PROMPT = r"(?:<(?:HRP_[MS])?{name}>|\[[~*]?(?:HRP_[MS])?{name}(?:-[^\]\r\n]*)?\])"
_HUAWEI_CONFIGURING = r"\[[~*]?(?:HRP_[MS])?{name}(?:-[^\]\r\n]*)?\]"
_HUAWEI_FIRST = r"(?m:^)<(?:HRP_[MS])?(?P<name>[^<>\r\n]{1,246})>\s*\Z"
_SAVE_QUESTIONS = (Question(r"save\b", r"(?i)continue|are you sure|overwrite|will be written", "y"),)
_HUAWEI_QUESTIONS = (
    *_SAVE_QUESTIONS,
    Question(r"undo (?:bgp|ospf|isis|rip|ip vpn-instance|mpls|acl|evpn|bridge-domain)\b", r"(?i)delete|continue", "Y"),
    Question(r"undo (?:interface|vlan|stp|eth-trunk|local-user|user-interface|snmp-agent|ssh)\b", r"(?i)continue", "Y"),
    Question(r"(?:undo )?stp (?:enable|disable|mode)\b", r"(?i)continue", "Y"),
    Question(r"(?:stelnet|telnet|ftp) ", r"(?i)continue|risk", "Y"),
    Question(r"port link-type\b", r"(?i)continue", "Y"),
    Question(r"router id\b|ospf \d+ router-id\b", r"(?i)continue", "Y"),
)

HUAWEI_VRP8 = Words(
    name="huawei_vrp8",
    prompt=_HUAWEI_PROMPT,
    configuring=_HUAWEI_CONFIGURING,
    any_prompt=_HUAWEI_FIRST,
    enter="system-view",
    leave="return",
    up="quit",
    paging=("screen-length 0 temporary",),
    running="display current-configuration",
    saved="display saved-configuration",
    save="save",
    saved_words=r"(?i)success",
    errors=_HUAWEI_ERRORS,
    confirm="trial",
    two_phase=True,
    rename=r"^sysname (?P<name>\S+)",
    questions=(*_HUAWEI_QUESTIONS, Question(r"(?:abort trial|clear configuration candidate)\b", r"(?i)continue", "Y")),
)

HUAWEI_VRP5 = Words(
    name="huawei_vrp5",
    prompt=_HUAWEI_PROMPT,
    configuring=_HUAWEI_CONFIGURING,
    any_prompt=_HUAWEI_FIRST,
    enter="system-view",
    leave="return",
    up="quit",
    paging=("screen-length 0 temporary",),
    running="display current-configuration",
    saved="display saved-configuration",
    save="save",
    saved_words=r"(?i)success",
    errors=_HUAWEI_ERRORS,
    confirm="restart",
    two_phase=False,
    rename=r"^sysname (?P<name>\S+)",
    questions=(
        *_HUAWEI_QUESTIONS,
        Question(r"schedule reboot\b", r"(?i)confirm ?\?", "Y"),
        Question(r"schedule reboot\b", r"(?i)will be saved", "N"),  # what is saved must stay what it was
        Question(r"undo schedule reboot\b", r"(?i)sure|continue|confirm", "Y"),
    ),
    restart=Restart(
        "schedule reboot delay {hours}:{rest:02}",
        "undo schedule reboot",
        "display schedule reboot",
        r"(?i)(?:will|to) reboot|reboot (?:system )?at|in \d+ hours?",
    ),
)

H3C_COMWARE = Words(
    name="h3c_comware",
    prompt=r"(?:<(?:RBM_[PS])?{name}>|\[[~*]?(?:RBM_[PS])?{name}(?:-[^\]\r\n]*)?\])",
    configuring=r"\[[~*]?(?:RBM_[PS])?{name}(?:-[^\]\r\n]*)?\]",
    any_prompt=r"(?m:^)<(?:RBM_[PS])?(?P<name>[^<>\r\n]{1,64})>\s*\Z",
    enter="system-view",
    leave="return",
    up="quit",
    paging=("screen-length disable",),
    running="display current-configuration",
    saved="display saved-configuration",
    save="save force",
    saved_words=r"(?i)success",
    errors=(
        r"^\s*%.*$",
        r"^\s*\^\s*$",
        r"^\s*(?:Error|Failed|Invalid|Permission denied|Operation failed|Can ?not|Can't|Unable to)\b.*$",
        r"^.*(?:does(?:n't| not) exist|is not supported|already exists|conflicts? with|has not been started).*$",
    ),
    confirm="delay",
    two_phase=False,
    rename=r"^sysname (?P<name>\S+)",
    questions=(
        *_SAVE_QUESTIONS,
        Question(r"configuration commit delay\b", r"(?i)continue|overwrite|already|cover", "Y"),
        Question(r"undo (?:bgp|ospf|isis|ip vpn-instance|acl|interface|vlan|local-user)\b", r"(?i)continue|sure", "Y"),
    ),
)

RUIJIE_RGOS = Words(
    name="ruijie_rgos",
    prompt=r"{name}(?:\([^)\r\n]*\))?[>#]",
    configuring=r"{name}\([^)\r\n]*\)#",
    any_prompt=r"(?m:^)(?P<name>[^\s<>#()]{1,255})[>#]\s*\Z",
    enter="configure terminal",
    leave="end",
    up="exit",
    paging=("terminal length 0", "terminal width 256"),
    running="show running-config",
    saved="show startup-config",
    save="write",
    saved_words=r"(?i)\[OK\]|success",
    # an address that went with its VRF, a VLAN made for a port: told, not refused
    errors=(r"^\s*%(?! ?(?:Warning|Info|NOTE|Interface .* removed due to|Access VLAN .* Creating)).*$", r"^\s*\^\s*$"),
    confirm="restart",
    two_phase=False,
    rename=r"^hostname (?P<name>\S+)",
    enable="enable",
    questions=(
        Question(r"no (?:vlan|router|vrf|ip vrf)\b", r"(?i)continue|sure|delete", "y"),
        Question(r"reload in\b", r"(?i)proceed|confirm", "y"),
        Question(r"reload in\b", r"(?i)save", "no"),  # what is saved must stay what it was
    ),
    restart=Restart("reload in {minutes}", "reload cancel", "show reload", r"(?i)scheduled (?:in|for|at)"),
)

ZTE_ZXR10 = Words(
    name="zte_zxr10",
    prompt=r"{name}(?:\([^)\r\n]*\))?[>#]",
    configuring=r"{name}\([^)\r\n]*\)#",
    any_prompt=r"(?m:^)(?P<name>[^\s<>#()]{1,255})[>#]\s*\Z",
    enter="configure terminal",
    leave="end",
    up="exit",
    paging=("terminal length 0",),
    running="show running-config",
    saved="show startup-config",
    save="write",
    saved_words=r"(?i)\[OK\]|success|building configuration",
    errors=(r"^\s*%(?! ?(?:Info|Warning|Code)).*$", r"^\s*\^\s*$"),
    confirm="restart",
    two_phase=False,
    rename=r"^hostname (?P<name>\S+)",
    enable="enable",
    questions=(
        Question(r"no (?:vlan|router|ip vrf|interface)\b", r"(?i)continue|sure|delete", "yes"),
        Question(r"reload system\b", r"(?i)proceed|confirm|sure", "yes"),
        Question(r"reload system\b", r"(?i)save", "no"),
    ),
    restart=Restart("reload system in {minutes}", "reload cancel", "show reload", r"(?i)scheduled (?:in|for|at)"),
)

_ALL = {words.name: words for words in (HUAWEI_VRP8, HUAWEI_VRP5, H3C_COMWARE, RUIJIE_RGOS, ZTE_ZXR10)}

QUESTION = re.compile(
    r"[\[(] ?[yY](?:[eE][sS]|\(yes\))? ?/ ?[nN](?:[oO]|\(no\))?(?: ?/ ?[cC](?:ancel|ANCEL|\(cancel\))?)?"
    r" ?(?:\([a-z/]+\))?[\])][\s:?]*\Z"
)
"""The end of a question that waits for an answer."""

MORE = re.compile(r"(?:-{2,} ?More ?(?:\([^)]*\))? ?-{2,}|--More--)\s*\Z")
"""A pager that was not switched off."""


def names() -> tuple[str, ...]:
    """Every command line that can be spoken."""
    return tuple(_ALL)


def words_of(name: str) -> Words:
    """The words of a platform; KeyError for one that has none (Linux appliances are the broker's own sessions)."""
    return _ALL[name]
