"""Action ``sanwang_in_band``: wait until a device answers on its management address, then shut its staging port."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from provision.broker.asking import ask


class ActionModule(ActionBase):  # type: ignore[misc]
    """``wait_s``: how long to wait."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("wait_s",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the broker; the answer is the result."""
        super().run(tmp, task_vars)
        return ask(
            task_vars or {},
            "in_band",
            why=self._task.get_name(),
            check=bool(self._task.check_mode),
            wait_s=float(self._task.args.get("wait_s", 60)),
        )
