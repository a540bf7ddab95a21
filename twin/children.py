"""Processes that outlive the command that started them: kept in hand only so that they are reaped while it lives."""

from __future__ import annotations

import subprocess

_children: list[subprocess.Popen[bytes]] = []


def keep(child: subprocess.Popen[bytes]) -> None:
    """Take over a started process; it is never killed by us going away."""
    _children.append(child)


def reap() -> None:
    """Collect those that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]
