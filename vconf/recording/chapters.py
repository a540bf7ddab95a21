"""Chapters of a recording: what the chair did that a viewer would look for.  Pure.

A chapter is ``{"at_s", "kind", "venue", "zh", "en"}``; ``kind`` is "start", "resumed", "broadcast", "roll", "slides",
"floor", "banner" or "display".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Document = dict[str, Any]
Names = Mapping[str, Mapping[str, str]]

_WORDS = {
    "start": ("录制开始", "Recording begins"),
    "resumed": ("录制继续", "Recording goes on"),
    "broadcast": ("广播：{zh}", "Broadcast: {en}"),
    "roll": ("点名：{zh}", "Roll call: {en}"),
    "slides": ("双流：{zh}", "Slides: {en}"),
    "floor": ("发言：{zh}", "Floor: {en}"),
    "banner": ("横幅：{text}", "Banner: {text}"),
    "display": ("取消广播", "Broadcast ends"),
}


def first(at_s: float, now: Mapping[str, Any], names: Names, *, again: bool) -> Iterator[Document]:
    """How a recorder begins that was told this conference (docs/protocol.md); ``again``: after another one."""
    yield _chapter("resumed" if again else "start", at_s, "", names)
    yield from between(at_s, {}, now, names)


def between(at_s: float, before: Mapping[str, Any], now: Mapping[str, Any], names: Names) -> Iterator[Document]:
    """What happened between two of them, in the order of importance."""
    roll, rolled = _roll(now), _roll(before)
    if roll and roll != rolled:
        yield _chapter("roll", at_s, roll, names)
    broadcast, broadcasted = now.get("broadcast", ""), before.get("broadcast", "")
    if broadcast and broadcast != broadcasted:
        yield _chapter("broadcast", at_s, broadcast, names)
    elif broadcasted and not broadcast:
        yield _chapter("display", at_s, "", names)
    slides = now.get("slides", "")
    if slides and slides != before.get("slides", ""):
        yield _chapter("slides", at_s, slides, names)
    for venue in now.get("floor", ()):
        if venue not in before.get("floor", ()):
            yield _chapter("floor", at_s, venue, names)
    banner, was = now.get("banner") or {}, before.get("banner") or {}
    if banner.get("text") and banner != was:
        yield _chapter("banner", at_s, "", names, str(banner["text"]))


def webvtt(chapters: Iterable[Document], ends_s: float, language: str = "zh") -> str:
    """Chapters as a WebVTT track of kind "chapters" (W3C WebVTT section 1.4): each until the next one."""
    listed = sorted(chapters, key=lambda each: float(each["at_s"]))
    lines = ["WEBVTT", ""]
    for number, chapter in enumerate(listed):
        begins = float(chapter["at_s"])
        ends = float(listed[number + 1]["at_s"]) if number + 1 < len(listed) else max(ends_s, begins + 1)
        if ends - begins < 0.001:  # two at once: the later one stands
            continue
        title = str(chapter[language]).replace("-->", "->").replace("\n", " ")
        lines += [f"{_time(begins)} --> {_time(ends)}", title.replace("&", "&amp;").replace("<", "&lt;"), ""]
    return "\n".join(lines)


def _time(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def _roll(conference: Mapping[str, Any]) -> str:
    return str((conference.get("roll") or {}).get("venue", ""))


def _chapter(kind: str, at_s: float, venue: str, names: Names, text: str = "") -> Document:
    zh, en = _WORDS[kind]
    name = names.get(venue, {"zh": venue, "en": venue})
    return {
        "at_s": round(at_s, 3),
        "kind": kind,
        "venue": venue,
        "zh": zh.format(zh=name["zh"], text=text),
        "en": en.format(en=name["en"], text=text),
    }
