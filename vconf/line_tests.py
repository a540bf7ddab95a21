"""Line tests (会前试线): what a hall's page measured and the network's own probes say, judged and kept.

One row a hall, its last test: the chair asks "who is ready", not "who was".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from vconf.tables import LineTestRow

MAX_LOSS_RATIO = 0.02
MAX_JITTER_MS = 30.0
LEAST_RATE_BPS = 800_000
"""One picture of 640 x 360 and a voice."""

SILENCE = 0.15
"""A level (0 to 1) that no voice stays under."""

Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None
Figure = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] | None


class Way(BaseModel):
    """One direction; None: not measured."""

    model_config = ConfigDict(extra="forbid")

    loss_ratio: Ratio = None
    jitter_ms: Figure = None
    rate_bps: Figure = None


class Path(BaseModel):
    """From the hall's page to the relay and back."""

    model_config = ConfigDict(extra="forbid")

    up: Way
    down: Way
    rtt_ms: Figure = None


class Result(BaseModel):
    """What a page found."""

    model_config = ConfigDict(extra="forbid")

    camera: Literal["looking", "good", "missing", "denied", "busy"]
    microphone: Literal["looking", "good", "heard", "missing", "denied"]
    level: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0  # the loudest
    speaker: bool | None = None  # a person heard the sound; None: nobody was asked
    path: Path | None = None  # None: the relay was not reached


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict."""

    name: str  # "camera", "microphone", "speaker", "path"
    ok: bool
    zh: str
    en: str


def judge(result: Result, network: Mapping[str, Any] | None) -> list[Check]:
    """The checks; ready is who has no line that is not ok.

    Args:
        result: The page's.
        network: Of ``collectors.probe.halls.hall_figures`` for this hall; None: it has no probe of its own.
    """
    return [_camera(result), _microphone(result), _speaker(result), _path(result, network)]


def _camera(result: Result) -> Check:
    words = {
        "good": ("画面正常", "picture is good"),
        "denied": ("摄像头未被允许", "camera not allowed"),
        "busy": ("摄像头被占用", "camera in use elsewhere"),
    }
    return Check("camera", result.camera == "good", *words.get(result.camera, ("没有摄像头", "no camera")))


def _microphone(result: Result) -> Check:
    if result.microphone == "denied":
        return Check("microphone", False, "话筒未被允许", "microphone not allowed")
    if result.microphone not in ("good", "heard"):
        return Check("microphone", False, "没有话筒", "no microphone")
    if result.level < SILENCE:
        return Check("microphone", False, "话筒没有声音", "the microphone hears nothing")
    return Check("microphone", True, "声音正常", "sound is good")


def _speaker(result: Result) -> Check:
    if result.speaker is None:
        return Check("speaker", True, "扬声器未确认", "speaker not confirmed by a person")
    if result.speaker:
        return Check("speaker", True, "扬声器正常", "speaker is good")
    return Check("speaker", False, "听不到测试音", "the test sound is not heard")


def _path(result: Result, network: Mapping[str, Any] | None) -> Check:
    if result.path is None:
        return Check("path", False, "连不上会议媒体", "the relay is not reached")
    wrong = [*_wrong(result.path), *_network_wrong(network)]
    if not wrong:
        return Check("path", True, "线路正常", "the path is good")
    return Check("path", False, "；".join(zh for zh, _ in wrong), "; ".join(en for _, en in wrong))


def _wrong(path: Path) -> Iterator[tuple[str, str]]:
    for zh, en, way in (("上行", "up", path.up), ("下行", "down", path.down)):
        if way.loss_ratio is None:
            yield f"{zh}没有测到", f"{en} not measured"
            continue
        if way.loss_ratio > MAX_LOSS_RATIO:
            yield f"{zh}丢包 {way.loss_ratio:.1%}", f"{en} loss {way.loss_ratio:.1%}"
        if (way.jitter_ms or 0.0) > MAX_JITTER_MS:
            yield f"{zh}抖动 {way.jitter_ms:.0f} ms", f"{en} jitter {way.jitter_ms:.0f} ms"
    if path.up.rate_bps is not None and path.up.rate_bps < LEAST_RATE_BPS:
        yield f"上行只有 {path.up.rate_bps / 1e6:.1f} Mbit/s", f"up only {path.up.rate_bps / 1e6:.1f} Mbit/s"


def _network_wrong(network: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if network is None or network.get("fresh") is not True:
        return
    for zh, way in (("上行", "up"), ("下行", "down")):
        loss = network[way]["loss_ratio"]
        if loss is not None and loss > MAX_LOSS_RATIO:
            yield f"网络自测{zh}丢包 {loss:.1%}", f"the network's own probe: {way} loss {loss:.1%}"


def keep(
    session: Session, hall: str, result: Result, network: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    """Judge and keep; the verdict for the page: ``{ready, checks, network}``."""
    checks = judge(result, network)
    ready = all(check.ok for check in checks)
    verdict = {"ready": ready, "checks": [asdict(check) for check in checks], "network": network}
    text = json.dumps({"measured": result.model_dump(), **verdict}, ensure_ascii=False)
    session.merge(LineTestRow(hall=hall, at=now, ready=ready, result=text))
    return verdict


def latest(session: Session, halls: Iterable[str]) -> dict[str, dict[str, Any] | None]:
    """Hall -> ``{at (UNIX seconds), ready, checks, measured, network}`` of its last test; None: never."""
    wanted = list(halls)
    found: dict[str, dict[str, Any] | None] = dict.fromkeys(wanted)
    for row in session.scalars(select(LineTestRow).where(LineTestRow.hall.in_(wanted))):
        found[row.hall] = {"at": row.at.timestamp(), **json.loads(row.result)}
    return found
