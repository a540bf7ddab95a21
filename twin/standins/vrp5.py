"""Huawei S-series switches with VRP5: every line takes effect at once."""

from __future__ import annotations

from twin.standins.vrp import VrpDialect
from twin.standins.vrp_session import VrpSession


class Vrp5Dialect(VrpDialect):
    name = "huawei_vrp5"
    tags = frozenset({"vrp5"})
    acl_word, advanced_word = "acl", "adv"
    default_type = "hybrid"
    ports = "GigabitEthernet0/0/1-24;XGigabitEthernet0/0/1-4;MEth0/0/1"
    version = "V200R019C10SPC500"
    version_long = "5.170 (S5720 V200R019C10SPC500)"
    model = "S5720-28X-SI-AC"
    more_erase = "\x1b[42D                                          \x1b[42D"
    removed = (
        "Info: All IPv4 related configurations on this interface are removed!",
        "Info: All IPv6 related configurations on this interface are removed!",
    )


class Vrp5Session(VrpSession):
    system_view_said = "Enter system view, return user view with Ctrl+Z."
    save_question = ("The current configuration will be written to the device.", "Are you sure to continue?[Y/N]")
    save_said = ("Now saving the current configuration to the slot 0..", "Save the configuration successfully.")
