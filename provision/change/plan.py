"""A plan: what every device will become, byte for byte, in which order, and who stands behind it.

Fields, as they are saved::

    Plan        county, instance, environment   names
                fingerprint     SHA-256 of the county's files (``county_fingerprint``)
                author, why, made_at, window_start, window_end (UTC, ISO 8601)
                devices         one DevicePlan per device that changes, in the county's order
                stages          Stage ... in the order of applying; every device of ``devices`` is in exactly one
                touches         Touches, risk: Risk
                approvals       Approval ... beside the content, not in the digest
                evidence        Evidence ... the same
    DevicePlan  host, site, role, platform ("linux", "huawei_vrp8" ...)
                base            fingerprint of the device's state when it was planned (``state_fingerprint``)
                wanted          SHA-256 over ALL files the device shall have (``bundle_fingerprint``)
                groups          parts that will be loaded again, in the device's order
                files           FileChange ...
                running         differences of the running configuration that will be put right, a line each
                commands        what will be typed at a vendor's switch, in this order, secrets masked; () elsewhere
    FileChange  path, group, change ("created", "changed", "removed"), mode ("0644", "" when removed)
                before_sha256   of the bytes on the device ("" when there is no file, or none of ours)
                after_sha256    of the wanted text with ``@secret:NAME@`` unfilled ("" when removed)
                diff            unified, secrets masked
    Stage       name ("canary", "arm-1", "arm-2" ..., "access", "inside-1" ..., "small", "management"), hosts,
                sites_cut, sites_unprotected, halls_cut: what is lost should every device of the stage fail

A saved plan is canonical JSON, sealed: ``Plan.load`` finds any edit of any byte.  ``digest`` is what people sign:
SHA-256 over the canonical content without approvals and evidence.  Whoever applies looks at the devices again and
compares whole ``DevicePlan`` objects: an equal one means that state, bytes and shown lines are what was approved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from identity.files import write_atomic

FORMAT = "sanwang plan 2"


class PlanError(Exception):
    """A plan that cannot be used; every text names file, key, found, expected and the next step (exit code 2)."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of one device."""

    path: str
    group: str
    change: str
    mode: str
    before_sha256: str
    after_sha256: str
    diff: str


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What one device will become."""

    host: str
    site: str
    role: str
    platform: str
    base: str
    wanted: str
    groups: tuple[str, ...]
    files: tuple[FileChange, ...]
    running: tuple[str, ...]
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Devices that are changed together; the next stage waits for their proof."""

    name: str
    hosts: tuple[str, ...]
    sites_cut: tuple[str, ...] = ()
    sites_unprotected: tuple[str, ...] = ()
    halls_cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MeetingTouched:
    """A booked meeting in the window, and its halls whose way passes a device that changes."""

    id: int
    title: str
    start: str
    end: str
    halls: tuple[str, ...]
    cut: tuple[str, ...]  # those of ``halls`` that would be lost should one stage fail


@dataclass(frozen=True, slots=True)
class Unprotected:
    """A link that carries a site, or joins the ring, alone right now."""

    link: str
    because: str


@dataclass(frozen=True, slots=True)
class Touches:
    """Whom the plan concerns."""

    sites: tuple[str, ...] = ()
    halls: tuple[str, ...] = ()
    meetings: tuple[MeetingTouched, ...] = ()
    unprotected: tuple[Unprotected, ...] = ()
    links_age_s: int | None = None  # age of the oldest link state; None: a link's state is not known at all


@dataclass(frozen=True, slots=True)
class Risk:
    """``level`` is "low", "medium" or "high"."""

    level: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's signature; ``provision.change.approval`` makes and verifies it."""

    login: str
    key: str  # public, base64
    at: str  # UTC, ISO 8601
    evidence: tuple[str, ...]  # digests of the evidence there was when the person signed
    signature: str  # ed25519, base64


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a rehearsal (or another check) of this plan gave."""

    kind: str  # "rehearsal" ...
    at: str
    good: bool
    words: str
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of it, hexadecimal."""
        return digest_of(asdict(self))


@dataclass(frozen=True)
class Plan:
    """See the module's text."""

    county: str
    instance: str
    environment: str
    fingerprint: str
    author: str
    why: str
    made_at: str
    window_start: str
    window_end: str
    devices: tuple[DevicePlan, ...]
    stages: tuple[Stage, ...]
    touches: Touches
    risk: Risk
    approvals: tuple[Approval, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, hexadecimal: what an approval signs and an apply carries out."""
        return digest_of(self.content())

    @property
    def id(self) -> str:
        """A short name of the plan: for labels, journals and people."""
        return self.digest[:12]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every device that changes, in the order of the stages."""
        return tuple(host for stage in self.stages for host in stage.hosts)

    def device(self, host: str) -> DevicePlan:
        """The device's part; KeyError when it is not in the plan."""
        for device in self.devices:
            if device.host == host:
                return device
        raise KeyError(f"plan {self.id} has no device {host!r}")

    def content(self) -> dict[str, Any]:
        """Everything that is signed, as plain values."""
        found = asdict(self)
        del found["approvals"], found["evidence"]
        return found

    def with_approval(self, approval: Approval) -> Plan:
        """The plan with one more approval (in place of an older one of the same person)."""
        kept = tuple(each for each in self.approvals if each.login != approval.login)
        return replace(self, approvals=(*kept, approval))

    def with_evidence(self, evidence: Evidence) -> Plan:
        """The plan with one more piece of evidence; what was there stays."""
        return replace(self, evidence=(*self.evidence, evidence))

    def as_json(self) -> dict[str, Any]:
        """The document as it is saved."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "digest": self.digest,
            "content": self.content(),
            "approvals": [asdict(each) for each in self.approvals],
            "evidence": [asdict(each) for each in self.evidence],
        }
        document["seal"] = digest_of(document)
        return document

    def save(self, path: Path | str) -> None:
        """Write the plan, whole or not at all.  OSError when it cannot be written."""
        write_atomic(Path(path).absolute(), _text(self.as_json()), 0o644)

    @classmethod
    def load(cls, path: Path | str) -> Plan:
        """Read a saved plan.  PlanError when there is none, or when a byte of it is not as it was saved."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise PlanError(_problem(path, "file", error.strerror or str(error), "a plan", _AGAIN)) from None
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: bytes, name: str = "plan") -> Plan:
        """A saved plan's bytes; ``name`` stands in the errors."""
        document = _document(data, name)
        content, digest = document["content"], document["digest"]
        if digest_of(content) != digest:
            found = f"content whose SHA-256 is {digest_of(content)[:16]}..."
            raise PlanError(_problem(name, "digest", found, f"{str(digest)[:16]}...: the plan was edited", _AGAIN))
        seal = document.pop("seal")
        if digest_of(document) != seal:
            raise PlanError(
                _problem(name, "seal", "other approvals or evidence than were saved", "an unedited file", _AGAIN)
            )
        try:
            plan = _PLAN.validate_python(content | {key: document[key] for key in ("approvals", "evidence")})
        except ValidationError as errors:
            raise PlanError(
                *(
                    _problem(name, ".".join(map(str, each["loc"])), repr(each["input"])[:60], each["msg"], _AGAIN)
                    for each in errors.errors()
                )
            ) from None
        if _text(plan.as_json()) != data:  # a key or a type that pydantic forgave
            raise PlanError(_problem(name, "content", "keys or types that no plan has", "a saved plan", _AGAIN))
        _check_stages(plan, name)
        _check_moments(plan, name)
        return plan


_PLAN = TypeAdapter(Plan)
_AGAIN = "make the plan again with `sanwang plan --out FILE`"
_KEYS = {"format", "digest", "content", "approvals", "evidence", "seal"}


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: keys sorted, no spaces, UTF-8.  ValueError for what JSON cannot hold."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON, hexadecimal."""
    return sha256(canonical(value)).hexdigest()


def state_fingerprint(state: Mapping[str, Any]) -> str:
    """One hash over what the broker's ``state`` tells of a device: files with their modes, and what runs."""
    return digest_of({"files": state.get("files", {}), "running": state.get("running", {})})


def bundle_fingerprint(files: Iterable[tuple[str, str, str]]) -> str:
    """One hash over all files a device shall have: (path, mode, text with placeholders)."""
    return digest_of(sorted([path, mode, text_sha256(text)] for path, mode, text in files))


def text_sha256(text: str) -> str:
    """SHA-256 of a text in UTF-8, hexadecimal."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def county_fingerprint(folder: Path) -> str:
    """One hash over the county's files: their names and bytes."""
    return digest_of([[file.name, sha256(file.read_bytes()).hexdigest()] for file in sorted(folder.glob("*.yml"))])


def _text(document: Mapping[str, Any]) -> bytes:
    """The file's bytes: canonical too, but a line per value, so that people and git can read it."""
    return (json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _document(data: bytes, name: str) -> dict[str, Any]:
    """The parsed document; PlanError unless the bytes are exactly what ``save`` writes for it."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PlanError(_problem(name, "file", f"no JSON ({error})"[:120], "a plan as it was saved", _AGAIN)) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(_problem(name, "format", "another kind of document", f'"{FORMAT}"', _AGAIN))
    if document.keys() != _KEYS:
        odd = ", ".join(sorted(document.keys() ^ _KEYS))
        raise PlanError(_problem(name, "keys", f"missing or unknown: {odd}", ", ".join(sorted(_KEYS)), _AGAIN))
    if not isinstance(document["content"], dict):
        raise PlanError(_problem(name, "content", type(document["content"]).__name__, "an object", _AGAIN))
    try:
        same = _text(document) == data
    except (ValueError, RecursionError):  # a lone surrogate or NaN: nothing that we ever wrote
        same = False
    if not same:
        raise PlanError(_problem(name, "file", "another layout than was saved: it was edited", "its own bytes", _AGAIN))
    return document


def _check_stages(plan: Plan, name: str) -> None:
    """Every device in exactly one stage, no stage of strangers."""
    staged, planned = list(plan.hosts), [device.host for device in plan.devices]
    if sorted(staged) != sorted(planned) or len(set(planned)) != len(planned):
        odd = ", ".join(sorted({*staged} ^ {*planned})) or "a device twice"
        raise PlanError(_problem(name, "stages", odd, "every device in exactly one stage", _AGAIN))


def _check_moments(plan: Plan, name: str) -> None:
    """Times that can be compared with a clock."""
    for key in ("made_at", "window_start", "window_end"):
        written = str(getattr(plan, key))
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            moment = datetime.min
        if moment.tzinfo is None:
            raise PlanError(_problem(name, key, repr(written)[:60], "a time in UTC, ISO 8601", _AGAIN))


def _problem(file: Path | str, key: str, found: str, expected: str, advice: str) -> str:
    return f"{file}: {key}: found {found}; expected {expected}; {advice}"
