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


STYLE = """\
@page { size: A4; margin: 14mm; }
body { font: 17px/1.45 "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", sans-serif; color: #111; margin: 0; }
h1 { font-size: 30px; line-height: 1.2; margin: 0; } small { color: #555; font-weight: normal; }
.code { margin: 14px 0; padding: 10px 16px; border: 3px solid #111; border-radius: 8px; }
.code b { display: block; font: 700 44px/1.25 "Noto Sans Mono CJK SC", monospace; letter-spacing: 3px; }
.phone { font-size: 24px; margin: 10px 0; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #999; padding: 7px 12px; text-align: left; }
th { font-size: 24px; width: 5em; white-space: nowrap; } td small { display: block; }
p { margin: 8px 0; }
"""


def html(hall: Hall, base: str, code: str, phone: str) -> str:
    """The page, A4.

    Args:
        hall: Whose card it is.
        base: The pages' address, "https://10.32.2.6".
        code: Ten digits.
        phone: The duty telephone; "": none is set.
    """
    rows = "".join(
        f"<tr><th>{escape(key)}</th><td>{escape(zh)}<small>{escape(en)}</small></td></tr>" for key, zh, en in KEYS
    )
    called = f'<p class="phone">值班电话 Help: <b>{escape(phone)}</b></p>' if phone else ""
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        f"<title>{escape(hall.zh)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(hall.zh)}<br><small>{escape(hall.en)}</small></h1>"
        f"<p>会场屏幕 Screen: <b>{escape(base)}/hall/</b></p>"
        f'<div class="code">配对码 Code<b>{code[:5]} {code[5:]}</b>'
        f"在会场屏幕上输入一次，{CODE_LIFE.days} 天内有效，用过即废。 "
        f"<small>Type it once on the hall's screen; good for {CODE_LIFE.days} days, and once.</small></div>{called}"
        f"<table>{rows}</table>"
        "<p>到时间本会场自动入会。摄像头坏了也能用声音参会。网络断了不要动，会自动恢复。<br>"
        "<small>The hall joins by itself at the time. Without a camera it takes part by sound. "
        "When the network is lost, wait: it comes back by itself.</small></p></body></html>\n"
    )
