"""Telling Alertmanager, and telling it again before it forgets: HTTP API v2, ``POST /api/v2/alerts``.

One fault is one alert, whose labels never change while it is open; a fault that is over is resolved at once.  Whatever
Alertmanager has missed (it was started again, it was away) it is told with the next repetition.  The end of an open
fault's alert is set far ahead: a collector that is away for a while must not make it look healed.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from collectors.faults.book import Fault
from collectors.faults.words import Words

ADDRESS = ("127.0.0.1", 9093)
REPEAT_S = 15.0
HOLD_S = 3600.0
_TIMEOUT_S = 3.0
_NAMES = {
    "link-down": "LinkDown",
    "link-silent": "LinkSilent",
    "link-flap": "LinkDown",
    "link-degraded": "LinkDegraded",
    "duct-cut": "DuctCut",
    "host-down": "HostDown",
    "host-unreachable": "HostUnreachable",
    "site-down": "SiteDown",
    "service-down": "DaemonDown",
    "tunnel-down": "TunnelDown",
    "wrong-neighbour": "WrongNeighbour",
    "rogue-dhcp": "RogueDhcp",
    "check-failed": "ServiceCheckFailed",
}


def alert(fault: Fault, words: Words, now: float) -> dict[str, Any]:
    """One alert as the API takes it."""
    kind = fault.key.partition(":")[0]
    opened_as, severity = fault.opened_as
    labels = {
        "alertname": _NAMES[opened_as],
        "severity": severity,
        "kind": opened_as,
        "fault": str(fault.id),
        "site": fault.site,
    }
    if kind == "link":
        labels["link"] = fault.subject
    elif kind in ("duct", "tunnel"):
        labels[kind] = fault.subject
    elif kind == "service":
        labels["host"], _, labels["service"] = fault.subject.partition("/")
    elif kind == "host":
        labels["host"] = fault.subject
    elif kind in ("wrong", "rogue", "check"):
        labels["subject"] = fault.subject
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": words.en, "summary_zh": words.zh, "next_step": words.next_step},
        "startsAt": _stamp(fault.opened_at),
        "endsAt": _stamp(fault.cleared_at if fault.cleared_at is not None else now + HOLD_S),
    }


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat("T", "milliseconds").replace("+00:00", "Z")


def post(alerts: Iterable[dict[str, Any]], address: tuple[str, int] = ADDRESS) -> None:
    """Send; blocks.

    Raises:
        OSError: Alertmanager does not take it.
    """
    body = json.dumps(list(alerts), ensure_ascii=False).encode()
    connection = http.client.HTTPConnection(*address, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read(300).decode("utf-8", "replace")
        if answer.status != http.client.OK:
            raise OSError(f"Alertmanager: {answer.status} {text.strip()}")
    except http.client.HTTPException as problem:
        raise OSError(f"Alertmanager: {problem!r}") from None
    finally:
        connection.close()
