"""Maintenance windows as Alertmanager's silences: what should be there is made, what should not is ended.

Nothing is remembered about it: a silence of ours names its window in the comment, so a new Alertmanager gets all of
them anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Any

from collectors.alerts.tables import WindowRow

BY = "sanwang"
_TIMEOUT_S = 3.0
_COMMENT = re.compile(r"maintenance window (\d+): ")

Silence = tuple[int, str, str, str, str]
"""Window, label, pattern, start, end."""


def wanted(windows: Sequence[WindowRow]) -> dict[Silence, str]:
    """Every silence of these windows, with its comment."""
    found: dict[Silence, str] = {}
    for row in windows:
        for label, names in (("host", row.hosts), ("link", row.links)):
            if names:
                pattern = "|".join(map(re.escape, sorted(names))).replace("\\-", "-")
                silence = (row.id, label, pattern, _stamp(row.start_at), _stamp(row.end_at))
                found[silence] = f"maintenance window {row.id}: {row.why}"
    return found


def reconcile(windows: Sequence[WindowRow], now: datetime, address: tuple[str, int]) -> int:
    """Make Alertmanager's silences these windows'; returns how many were changed.  Blocks.

    Raises:
        OSError: Alertmanager does not answer as it should.
    """
    should = wanted([row for row in windows if row.end_at > now])
    changed = 0
    for held in _ask(address, "GET", "/api/v2/silences"):
        window = _COMMENT.match(str(held.get("comment", "")))
        if held.get("createdBy") != BY or window is None or held["status"]["state"] == "expired":
            continue
        matcher = held["matchers"][0]
        # A silence that runs already says when it was made, not when it was to begin.
        found = next(
            (
                each
                for each in should
                if each[:3] == (int(window[1]), matcher["name"], matcher["value"])
                and each[4] == _stamp(datetime.fromisoformat(held["endsAt"]))
            ),
            None,
        )
        if found is None:
            _ask(address, "DELETE", f"/api/v2/silence/{held['id']}")
            changed += 1
        else:
            del should[found]
    for (_, label, pattern, start, end), comment in should.items():
        matcher = {"name": label, "value": pattern, "isRegex": True, "isEqual": True}
        body = {"matchers": [matcher], "startsAt": start, "endsAt": end, "createdBy": BY, "comment": comment}
        _ask(address, "POST", "/api/v2/silences", body)
        changed += 1
    return changed


def _ask(address: tuple[str, int], method: str, path: str, body: Any = None) -> Any:
    connection = HTTPConnection(*address, timeout=_TIMEOUT_S)
    try:
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(f"Alertmanager: {answer.status} on {path}: {text[:200].decode('utf-8', 'replace')}")
        return json.loads(text) if text else None
    except (HTTPException, ValueError) as problem:
        raise OSError(f"Alertmanager: {problem!r}") from None
    finally:
        connection.close()


def _stamp(at: datetime) -> str:
    return at.isoformat("T", "milliseconds").replace("+00:00", "Z")
