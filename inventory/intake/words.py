"""The words of the tables: accepted headings and kinds, in Chinese and English; docs/brownfield.md shows them.

A word is compared without blanks, case, width, punctuation and what stands in brackets: ``主用光缆 (公里)`` is
``主用光缆``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_NOISE = re.compile(r"\([^)]*\)|[\s_\-:*.]+")


@dataclass(frozen=True, slots=True)
class Heading:
    """One column that tables may have; the first word of each language is the template's."""

    zh: tuple[str, ...]
    en: tuple[str, ...]
    what: str  # for people


HEADINGS: dict[str, Heading] = {
    "kind": Heading(
        ("种类", "类别", "类型", "站点类型"), ("kind", "type"), "what the row is; or the sheet's name says it"
    ),
    "code": Heading(("代码", "站点代码", "编码", "简码"), ("code", "site code"), "short and for ever, such as t12"),
    "number": Heading(("编号", "站点编号", "站号"), ("number", "site number"), "1 to 2047, for ever; empty: proposed"),
    "zh": Heading(
        ("名称", "中文名", "中文名称", "站点名称", "单位名称"), ("chinese name", "zh", "name"), "Chinese name"
    ),
    "en": Heading(("英文名", "英文名称"), ("english name", "en"), "English name; empty: proposed from kind and code"),
    "homes": Heading(
        ("上联", "主用上联", "主用中心", "上联中心", "上联站点", "甲端"),
        ("home", "homes", "primary", "parent", "end a"),
        "site it hangs on, preferred first (code or name)",
    ),
    "home2": Heading(("备用上联", "备用中心", "乙端"), ("home 2", "secondary", "backup", "end b"), "the second one"),
    "networks": Heading(
        ("网络", "业务网络", "所属网络"), ("networks", "network"), "networks and closed groups, code or name"
    ),
    "switch": Heading(
        ("接入交换机", "交换机", "交换机平台"), ("switch", "access switch", "platform"), "its command line"
    ),
    "boxes": Heading(("设备", "中心设备"), ("boxes", "devices"), "boxes of a centre: firewall, vpn, server, ..."),
    "east": Heading(("东", "东向公里", "x"), ("east", "east km"), "kilometres east of the information centre"),
    "north": Heading(("北", "北向公里", "y"), ("north", "north km"), "kilometres north of it"),
    "lon": Heading(("经度",), ("longitude", "lon", "lng"), "degrees; needs --origin"),
    "lat": Heading(("纬度",), ("latitude", "lat"), "degrees; needs --origin"),
    "km": Heading(
        ("光缆公里", "主用光缆", "主用光缆公里", "光缆长度", "公里"), ("km", "km 1", "fibre km"), "its fibre's length"
    ),
    "km2": Heading(("备用光缆公里", "备用光缆"), ("km 2", "second fibre km"), "of the fibre to the second home"),
    "ducts": Heading(("管道", "主用管道"), ("ducts", "duct", "ducts 1"), "trenches of its fibre (code or name)"),
    "ducts2": Heading(("备用管道",), ("ducts 2", "second ducts"), "of the fibre to the second home"),
    "rate": Heading(("带宽", "速率"), ("rate", "bandwidth"), "100M or 1G"),
    "site": Heading(("所在站点", "站点"), ("site",), "where a hall is (code or name)"),
    "seats": Heading(("会场座位", "座位", "座位数"), ("seats", "hall seats"), "a hall of so many seats there"),
    "equipment": Heading(("会场设备",), ("hall devices", "equipment"), "camera, microphone, speaker, screen"),
    "metric": Heading(("优先级",), ("metric", "priority"), "a carrier's: lower is preferred"),
    "probe": Heading(("探测地址",), ("probe",), "an address beyond the carrier that answers ping"),
}
QUIET = (
    "序号",
    "备注",
    "说明",
    "联系人",
    "电话",
    "联系电话",
    "地址",
    "no",
    "remarks",
    "notes",
    "contact",
    "phone",
    "address",
)
"""Columns that every office's table has and no county's files."""

KINDS: dict[str, tuple[str, ...]] = {
    "centres": ("中心", "核心", "centre", "center"),
    "townships": ("乡镇", "乡", "镇", "街道", "township", "town"),
    "bodies": ("机关", "机关单位", "委办局", "部门", "body", "bureau"),
    "buildings": ("大楼", "办公楼", "building"),
    "schools": ("学校", "school"),
    "clinics": ("卫生院", "clinic"),
    "villages": ("村", "行政村", "village"),
    "units": ("基层单位", "unit"),
    "partners": ("合作单位", "partner"),
    "subscribers": ("小区", "有线小区", "subscriber group"),
    "carriers": ("运营商", "carrier"),
    "fibres": ("光缆", "fibre", "fiber"),
    "ducts": ("管道", "duct"),
    "halls": ("会场", "hall"),
}
"""Section of the county's files -> words for one of its entries; the section's own name counts too."""

_PLACE = frozenset({"kind", "code", "number", "zh", "en", "east", "north", "lon", "lat"})
_LINED = frozenset({"homes", "km", "ducts"})
FIELDS: dict[str, frozenset[str]] = {
    "centres": _PLACE | {"boxes"},
    **dict.fromkeys(
        ("townships", "bodies", "buildings"),
        _PLACE | _LINED | {"home2", "km2", "ducts2", "networks", "switch", "rate", "seats", "equipment"},
    ),
    **dict.fromkeys(("schools", "clinics", "subscribers"), _PLACE | _LINED),
    **dict.fromkeys(("villages", "units", "partners"), _PLACE | {"homes", "networks"}),
    "carriers": _PLACE | {"metric", "rate", "probe"},
    "fibres": frozenset({"kind", "code", "number", "homes", "home2", "km", "ducts", "rate"}),
    "ducts": frozenset({"kind", "code", "zh", "en"}),
    "halls": frozenset({"kind", "code", "zh", "en", "site", "seats", "equipment"}),
}
"""Which columns mean something for a kind; in the others its cell must be empty."""

SWITCHES: dict[str, tuple[str, ...]] = {
    "huawei_vrp5": ("华为vrp5", "华为s系列", "huaweivrp5"),
    "huawei_vrp8": ("华为vrp8", "华为ce系列", "huaweivrp8"),
    "h3c_comware": ("h3c", "华三", "新华三", "comware"),
    "ruijie_rgos": ("锐捷", "ruijie", "rgos"),
    "zte_zxr10": ("中兴", "zte", "zxr10"),
}
BOXES: dict[str, tuple[str, ...]] = {
    "firewall": ("防火墙",),
    "vpn": ("vpn网关",),
    "server": ("服务器",),
    "relay": ("媒体转发", "媒体服务器"),
    "nms": ("网管", "网管主机"),
    "standby": ("备用网管", "备用网管主机"),
    "headend": ("前端", "有线前端"),
}
EQUIPMENT: dict[str, tuple[str, ...]] = {
    "camera": ("摄像机", "摄像头"),
    "microphone": ("话筒", "麦克风"),
    "speaker": ("音箱", "扬声器"),
    "screen": ("屏幕", "大屏"),
    "second-camera": ("第二摄像机", "辅助摄像机"),
}


def folded(word: str) -> str:
    """A word as it is compared."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", word).lower())


_HEADING = {folded(word): field for field, heading in HEADINGS.items() for word in (*heading.zh, *heading.en)}
_KIND = {folded(word): section for section, words in KINDS.items() for word in (section, *words)}
_QUIET = frozenset(map(folded, QUIET))


def heading_of(text: str) -> str:
    """The column that a heading names, "" for none."""
    return _HEADING.get(folded(text), "")


def known_to_be_idle(text: str) -> bool:
    """Whether the heading is one that is never read."""
    return folded(text) in _QUIET


def kind_of(text: str) -> str:
    """The section that a kind (or a sheet's name) means, "" for none."""
    return _KIND.get(folded(text), "")


def kind_words() -> str:
    """The kinds for an error's text: ``乡镇 township, ...``."""
    return ", ".join(f"{words[0]} {next(word for word in words if word.isascii())}" for words in KINDS.values())
