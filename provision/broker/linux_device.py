"""A Linux box as the broker asks it: the device tool does it, this only speaks to the tool."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from inventory.model import Host, NetworkModel
from provision.backup.archive import Kept, Snapshot
from provision.broker import expect, tool
from provision.broker.driver import Applied, File
from provision.broker.masking import mask
from provision.broker.session import DeviceSession, Ran
from provision.broker.wire import BrokerError
from provision.render import ConfigFile

_SERVICE = re.compile(r"/etc/sanwang/sv/([^/]+)/run")
_READ = (
    "python3 -c 'import json,sys\n"
    'print(json.dumps({p: open(p, encoding="utf-8", errors="replace").read() for p in json.load(sys.stdin)}))\''
)


class LinuxDevice:
    """The ``Driver`` of one Linux box."""

    exact = True
    whole_at_once = True

    def __init__(self, session: DeviceSession) -> None:
        self._session = session

    @property
    def alive(self) -> bool:
        return self._session.alive

    @property
    def host_key(self) -> str:
        return self._session.host_key

    def enrol(self, files: Collection[File], secrets: Mapping[str, str]) -> Applied:
        tool.install(self._session, files)
        return tool.apply(self._session, files, groups=None, check=False, secrets=secrets)

    def close_staging(self, *, check: bool, keep_port: bool) -> bool:
        return tool.close_staging(self._session, check=check, keep_port=keep_port)

    def state(self) -> dict[str, Any]:
        return tool.state(self._session)

    def apply(
        self,
        files: Collection[File],
        *,
        groups: Collection[str] | None,
        check: bool,
        secrets: Mapping[str, str],
        confirm: tuple[int, str] | None = None,
    ) -> Applied:
        return tool.apply(self._session, files, groups=groups, check=check, secrets=secrets, confirm=confirm)

    def rollback(self, of: str, *, confirm: tuple[int, str]) -> Applied:
        return tool.rollback(self._session, of, confirm=confirm)

    def end(self, how: str, change: str) -> str:
        return tool.end(self._session, how, change)

    def settle(self, change: str) -> str:
        """The box ends it by itself; this only looks."""
        state = self.state()
        if (state.get("pending") or {}).get("id") == change:
            return ""
        last = state.get("last") or {}
        return str(last.get("outcome", "unknown")) if last.get("id") == change else "unknown"

    def command(self, kind: str, text: str, timeout_s: float) -> Ran:
        if kind not in ("shell", "vtysh"):
            raise BrokerError("request", f"kind {kind!r}: expected shell or vtysh")
        ran: Ran = getattr(self._session, kind)(text, timeout_s=timeout_s)
        return ran

    def verify(self, model: NetworkModel, host: Host, files: Collection[ConfigFile]) -> tuple[int, list[str]]:
        services = sorted({found[1] for file in files if (found := _SERVICE.fullmatch(file.path))})
        want = expect.expected(model, host, services)
        answer = self._session.script(expect.question(want))
        return want.count, expect.problems(want, answer.out, host.name)

    def snapshot(self, files: Collection[File], rendered: Mapping[str, str], secrets: Mapping[str, str]) -> Snapshot:
        state = self.state()
        sure = {file.path: hashlib.sha256(file.text.encode()).hexdigest() for file in files}
        own = [path for path, each in state["files"].items() if sure.get(path) != each["sha256"]]
        held = {**rendered, **(self._read(own, secrets) if own else {})}
        groups = state.get("groups", {})
        kept = {
            path: Kept(held[path], each["mode"], each["sha256"], groups.get(path, ""))
            for path, each in state["files"].items()
        }
        return Snapshot(kept, state["drift"])

    def _read(self, paths: list[str], secrets: Mapping[str, str]) -> dict[str, str]:
        done = self._session.run(_READ, json.dumps(paths).encode())
        try:
            texts: dict[str, str] = json.loads(done.out)
        except ValueError:
            raise BrokerError(
                "device",
                f"{self._session.where.host}: its files cannot be read: {mask(done.err, secrets).strip()[-300:]}",
            ) from None
        return {path: mask(text, secrets) for path, text in texts.items()}
