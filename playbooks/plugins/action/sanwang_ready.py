"""Action ``sanwang_ready``: is there a broker, and does it read the county's files as they are now?"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from provision.broker.asking import ask


class ActionModule(ActionBase):  # type: ignore[misc]
    """Fails with the way to start a broker, or with all errors of the county's files."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(())

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the broker; the answer is the result."""
        super().run(tmp, task_vars)
        return ask(task_vars or {}, "reload_model", host=False)
