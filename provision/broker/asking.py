"""What an Ansible action says to the broker and how the answer becomes a task's result; standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provision.broker.client import START_HINT, BrokerClient
from provision.broker.wire import BrokerError


def ask(
    variables: Mapping[str, Any], method: str, *, host: bool = True, why: str = "", **params: Any
) -> dict[str, Any]:
    """Ask the county's broker for the play's current host; always returns a task result, never raises.

    ``variables`` are the task's: ``sanwang_broker`` (socket, from the inventory plugin) and ``inventory_hostname``.
    """
    path = variables.get("sanwang_broker")
    if not path:
        return {
            "failed": True,
            "msg": "the inventory names no device broker: use -i inventory/<county>.sanwang.yml; then " + START_HINT,
        }
    if host:
        params["host"] = str(variables["inventory_hostname"])
    try:
        answer = BrokerClient(str(path)).call(method, why=why, **params)
    except BrokerError as error:
        if error.kind == "unreachable":
            return {"unreachable": True, "msg": error.message}
        return {"failed": True, "msg": error.message}
    return result(answer)


def result(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A task's result from the broker's answer: ``changed``, ``diff`` as Ansible prints it, and a line of words."""
    shown: dict[str, Any] = {"changed": bool(answer.get("changed", False))}
    shown |= {key: answer[key] for key in ("msg", "failed", "checked", "county", "hosts") if key in answer}
    if answer.get("diff"):
        shown["diff"] = [
            {
                "before": each["before"],
                "after": each["after"],
                "before_header": each["path"],
                "after_header": each["path"],
            }
            for each in answer["diff"]
        ]
    return shown
