"""Action ``sanwang_enrol``: give a fresh device, over its staging port, what it needs to answer in band."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from provision.broker.asking import ask


class ActionModule(ActionBase):  # type: ignore[misc]
    """Changes nothing on a device that is enrolled already."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(())

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the broker; the answer is the result."""
        super().run(tmp, task_vars)
        return ask(task_vars or {}, "enrol", why=self._task.get_name(), check=bool(self._task.check_mode))
