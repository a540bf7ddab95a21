"""Phase 12, switches: what operations staff closed or revoked."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.errors import Report
from inventory.model import Switch, Tunnel
from inventory.schema import Intent, SwitchIntent


def expand_switch(written: SwitchIntent | None) -> Switch | None:
    """One switch, when it is set."""
    return Switch(written.who, written.why, written.at) if written else None


def expand_revoked(intent: Intent, tunnels: Mapping[str, Tunnel], report: Report) -> dict[str, Switch]:
    """Sites whose VPN access was taken away; each must have a tunnel."""
    revoked = {}
    for code, written in intent.switches.revoked.items():
        if code not in tunnels:
            known = ", ".join(tunnels) or "none: the county has no VPN"
            report.error(("switches", "revoked", code), code, f"a site with a tunnel: {known}", "remove the line")
        revoked[code] = Switch(written.who, written.why, written.at)
    return revoked
