"""What the chair's actions are called in a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vconf.chair.act import ACTIONS

ZH = {
    "rollCall": "点名",
    "endRoll": "结束点名",
    "broadcast": "广播会场",
    "cancelBroadcast": "取消广播",
    "poll": "轮询",
    "stopPoll": "停止轮询",
    "display": "画面布局",
    "undo": "撤销",
    "mute": "静音",
    "unmute": "取消静音",
    "muteAll": "全场静音",
    "unmuteAll": "全场取消静音",
    "grant": "允许发言",
    "endFloor": "结束发言",
    "lowerAll": "清空申请",
    "raiseHand": "申请发言",
    "lowerHand": "取消申请",
    "slides": "辅流",
    "watch": "选看",
    "allowView": "允许选看",
    "signIn": "签到",
    "banner": "字幕",
    "lock": "锁定会议",
    "admit": "准入",
    "admitAll": "全部准入",
    "cut": "挂断会场",
    "coChair": "联席主席",
    "handOver": "移交主席",
    "extend": "延长会议",
    "end": "结束会议",
    "startRecording": "开始录制",
    "stopRecording": "停止录制",
    "chairPasses": "主席权转移",
    "book": "预订会议",
    "change": "修改会议",
    "cancel": "取消会议",
    "force": "强制占用会场",
    "console": "打开主席台",
    "guests": "邀请来宾",
    "capacity": "网络核查",
}
_FLAGS = {True: ("开", "on"), False: ("关", "off")}


def action(what: str) -> tuple[str, str]:
    """Chinese and English; an action without words stands as it is."""
    found = ACTIONS.get(what)
    return ZH.get(what, what), found.line.split(" (")[0] if found is not None and found.line else what


def arguments(detail: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """What it was done to or with, in one line."""
    parts = []
    for key in ("venue", "to", "from", "venues", "mode", "on", "heads", "name", "text", "minutes", "intervalS"):
        value = detail.get(key)
        if value in (None, "", []):
            continue
        if isinstance(value, bool):
            parts.append("/".join(_FLAGS[value]))
        elif key in ("venue", "to", "from"):
            parts.append(name(str(value)))
        elif isinstance(value, list):
            parts.append("、".join(name(str(each)) for each in value))
        else:
            parts.append(f"{value} min" if key == "minutes" else str(value))
    return " ".join(parts)
