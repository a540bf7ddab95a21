"""Action ``sanwang_apply``: make a device's configuration, on disk and running, what the model says."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from provision.broker.asking import ask


class ActionModule(ActionBase):  # type: ignore[misc]
    """``groups``: only these parts (network, frr, nft ...); without it all of them."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("groups",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the broker; the answer is the result."""
        super().run(tmp, task_vars)
        return ask(
            task_vars or {},
            "apply",
            why=self._task.get_name(),
            check=bool(self._task.check_mode),
            diff=bool(self._task.diff),
            groups=self._task.args.get("groups"),
        )
