"""The platforms by name."""

from __future__ import annotations

from twin.standins.comware import ComwareDialect, ComwareSession
from twin.standins.dialect import Dialect
from twin.standins.rgos import RgosDialect, RgosSession
from twin.standins.session import Session
from twin.standins.vrp5 import Vrp5Dialect, Vrp5Session
from twin.standins.vrp8 import Vrp8Dialect, Vrp8Session
from twin.standins.zxr10 import ZxrDialect, ZxrSession

PLATFORMS: dict[str, tuple[type[Dialect], type[Session]]] = {
    "huawei_vrp8": (Vrp8Dialect, Vrp8Session),
    "huawei_vrp5": (Vrp5Dialect, Vrp5Session),
    "h3c_comware": (ComwareDialect, ComwareSession),
    "ruijie_rgos": (RgosDialect, RgosSession),
    "zte_zxr10": (ZxrDialect, ZxrSession),
}
