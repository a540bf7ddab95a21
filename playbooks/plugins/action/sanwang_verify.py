"""Action ``sanwang_verify``: compare what a device shows in band with the model."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from provision.broker.asking import ask


class ActionModule(ActionBase):  # type: ignore[misc]
    """``wait_s``: how long adjacencies and tunnels may still take to come up."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("wait_s",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the broker; the answer is the result."""
        super().run(tmp, task_vars)
        return ask(
            task_vars or {}, "verify", why=self._task.get_name(), wait_s=float(self._task.args.get("wait_s", 30))
        )
