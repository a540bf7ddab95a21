"""The card beside a hall's screen, one page to print: the pairing code, the keys, and whom to call."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inventory.model import Hall
from vconf.hall_devices import CODE_LIFE

KEYS: Sequence[tuple[str, str, str]] = (
    ("OK / 1", "加入会议；会议中：举手、放下手", "Join; in the meeting: raise or lower the hand"),
    ("2", "首页：会前试线；会议中：开关话筒", "At home: line test; in the meeting: microphone"),
    ("3", "会议中：开关画面", "In the meeting: picture"),
    ("4", "会议中：签到（输入人数，按 OK）", "In the meeting: sign in (type how many, OK)"),
    ("5", "会议中：共享双流", "In the meeting: share slides"),
    ("6", "会议中：选看会场", "In the meeting: choose what to watch"),
    ("9", "中文 / English", "Chinese, English"),
    ("0", "离开会议（按两次）", "Leave (twice)"),
    ("返回 Back", "关闭窗口", "Close a window"),
)


def html(hall: Hall, base: str, code: str, phone: str) -> str:
    """The page.

    Args:
        hall: Whose card it is.
        base: The pages' address, "https://10.32.2.6".
        code: Ten digits.
        phone: The duty telephone; "": none is set.
    """
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(zh)}<br>{escape(en)}</td></tr>" for key, zh, en in KEYS)
    called = f"<h2>值班电话 Help: {escape(phone)}</h2>" if phone else ""
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        f"<title>{escape(hall.zh)}</title></head><body>"
        f"<h1>{escape(hall.zh)}<br>{escape(hall.en)}</h1>"
        f"<p>会场屏幕 Screen: <strong>{escape(base)}/hall/</strong></p>"
        f"<h1>配对码 Code: <code>{code[:5]} {code[5:]}</code></h1>"
        f"<p>在会场屏幕上输入一次，{CODE_LIFE.days} 天内有效，用过即废。 "
        f"Type it once on the hall's screen; good for {CODE_LIFE.days} days, and once.</p>{called}"
        f'<table border="1" cellpadding="8" cellspacing="0" width="100%">{rows}</table>'
        "<p>到时间本会场自动入会。摄像头坏了也能用声音参会。网络断了不要动，会自动恢复。<br>"
        "The hall joins by itself at the time. Without a camera it takes part by sound. "
        "When the network is lost, wait: it comes back by itself.</p></body></html>\n"
    )
