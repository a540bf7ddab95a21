"""The broker's line to the audit log: every change of a device's state leaves an entry, or is not made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import SQLAlchemyError

from provision.broker.wire import BrokerError
from store.audit import record
from store.engine import Store, open_store

Watcher = Callable[[str, str, str, Mapping[str, object]], None]


class Trail:
    """Writes audit entries in one thread of its own, in the order asked."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._store: Store | None = None
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Be told of every entry once it is written: who, what, why, detail."""
        self._watchers.append(watcher)

    async def open(self) -> None:
        """Open the store; BrokerError of kind ``audit`` when it cannot be written."""
        await self._do(self._open)

    async def note(self, who: str, what: str, why: str, detail: Mapping[str, object]) -> None:
        """Append one entry; returns once it is committed."""
        await self._do(self._note, who, what, why, detail)
        for watcher in self._watchers:
            watcher(who, what, why, detail)

    async def _do(self, work: object, *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, work, *arguments)  # type: ignore[arg-type]
        except (SQLAlchemyError, OSError) as error:
            raise BrokerError("audit", f"no audit entry can be written, so nothing is changed: {error}") from None

    def _open(self) -> None:
        self._store = open_store(self._url)

    def _note(self, who: str, what: str, why: str, detail: Mapping[str, object]) -> None:
        if self._store is None:
            self._open()
        assert self._store is not None
        with self._store.session() as session:
            record(session, who, what, why, detail)

    def close(self) -> None:
        """Finish what is queued and close the store."""
        self._thread.shutdown(wait=True)
        if self._store is not None:
            self._store.close()
