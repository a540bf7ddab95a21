"""Lines of vendors' own logs, as they come behind the priority of a syslog message.

VRP and Comware (Huawei, H3C): ``TIME HOST %%01IFNET/4/LINK_STATE(l)[3]:TEXT``; RGOS (Ruijie, as Cisco's IOS):
``*TIME: HOST %LINK-3-UPDOWN: TEXT``; ZXR10 (ZTE): ``HOST TIME DATE UTC alarm 20504 occurred %OAM% TEXT sent by MPU``.
"""

from __future__ import annotations

import re

_VRP = re.compile(r"(?:.{0,40}?\s)?(\S{1,64}) %%\d\d([\w-]+/\d/[\w-]+)(?:\(\w\))?(?:\[\d+\])?: ?(.*)", re.DOTALL)
_RGOS = re.compile(r"\s?\*?.{0,40}?: (?:(\S{1,64}) )?%([A-Z][\w-]*-\d-\w+): (.*)", re.DOTALL)
_ZXR = re.compile(
    r"(?:(\S{1,64}) )?\d\d:\d\d:\d\d \d\d/\d\d/\d{4} UTC alarm \d+ (?:occurred|cleared) %(\w+)% (.*) sent by \S+",
    re.DOTALL,
)
_PORT = re.compile(r"(?:\b[Ii]nterface |\bifName=)([A-Za-z0-9][\w-]*(?: \d[\d/]*|[\d/.:]*\d)?)")


def read(line: str) -> tuple[str, str, str] | None:
    """(host as it calls itself, module and mnemonic, text); None for a line of none of these."""
    for form in (_VRP, _RGOS, _ZXR):
        found = form.fullmatch(line)
        if found is not None:
            return found[1] or "", found[2], found[3]
    return None


def port_of(text: str) -> str:
    """The port that a text speaks of, as the device calls it; "" for none."""
    found = _PORT.search(text)
    return found[1] if found is not None and any(letter.isdigit() for letter in found[1]) else ""
