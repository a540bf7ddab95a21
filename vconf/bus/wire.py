"""The bus over NATS: mutual TLS to the nats-server of the same machine, which is the county's or a leaf of it.

A cut line is the servers' affair; here a connection that is lost comes back by itself, with all subscriptions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from vconf.bus.bus import Handler, Inbox, NoAnswer, checked, checked_pattern
from vconf.lines import Identity

if TYPE_CHECKING:  # imported when it is needed: most processes of a county have no bus
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription as NatsSubscription

AGAIN_S = 0.5
_CONNECT_S = 2
_PING_S = 2

logger = logging.getLogger(__name__)


class NatsBus:
    """One process's connection.

    Args:
        server: "tls://127.0.0.1:4222".
        server_name: DNS name in the server's certificate.
        identity: Our certificate; the server takes us for the user of its DNS name.
    """

    def __init__(self, server: str, server_name: str, identity: Identity) -> None:
        self.dropped = 0
        self._server = server
        self._server_name = server_name
        self._identity = identity
        self._client: Client | None = None
        self._members: list[_Member] = []
        self._connecting: asyncio.Task[None] | None = None
        self._told = ""

    async def start(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._connect(), name="bus")

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        for member in list(self._members):
            await member.end()
        if self._client is not None:
            await self._client.close()

    @property
    def up(self) -> bool:
        """Whether our own server is reached; says nothing of the line beyond it."""
        return self._client is not None and self._client.is_connected

    def publish(self, subject: str, message: bytes) -> None:
        checked(subject, message)
        self._send(subject, message)

    async def subscribe(self, pattern: str, handler: Handler) -> _Member:
        checked_pattern(pattern)
        member = _Member(self, pattern, Inbox(handler, self._drop))
        self._members.append(member)
        if self.up:
            await self._attach(member)
        return member

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        checked(subject, message)
        from nats.errors import Error

        if not self.up or self._client is None:
            raise NoAnswer(f"{subject}: the bus is not connected")
        try:
            return (await self._client.request(subject, message, timeout=timeout_s)).data
        except (Error, TimeoutError, OSError) as error:
            raise NoAnswer(f"{subject}: {error or type(error).__name__}") from None

    async def forget(self, member: _Member) -> None:
        """A subscription ended."""
        if member in self._members:
            self._members.remove(member)
        if member.held is not None and self.up:
            with contextlib.suppress(Exception):  # the connection may go this very moment: then it is over anyway
                await member.held.unsubscribe()

    async def _connect(self) -> None:
        """The first connection; later ones are the client's own."""
        import nats

        tls = self._identity.client()
        while True:
            try:
                self._client = await nats.connect(
                    self._server,
                    tls=tls,
                    tls_hostname=self._server_name,
                    connect_timeout=_CONNECT_S,
                    reconnect_time_wait=AGAIN_S,
                    max_reconnect_attempts=-1,
                    ping_interval=_PING_S,
                    max_outstanding_pings=2,
                    allow_reconnect=True,
                    error_cb=self._troubled,
                    disconnected_cb=self._disconnected,
                    reconnected_cb=self._reconnected,
                )
                break
            except Exception as error:  # whatever keeps us from it now may not be there later
                await self._troubled(error)
                await asyncio.sleep(AGAIN_S)
        logger.info("bus: connected")
        for member in self._members:
            await self._attach(member)

    async def _attach(self, member: _Member) -> None:
        if member.held is None and self._client is not None:
            member.held = await self._client.subscribe(member.pattern, cb=member.heard)

    def send_answer(self, subject: str, message: bytes) -> None:
        """To the asker's own subject."""
        self._send(subject, message)

    def _send(self, subject: str, message: bytes) -> None:
        if not self.up or self._client is None:
            self._drop()
            return
        # what waits for a lost connection would come late: it is dropped above
        task = asyncio.get_running_loop().create_task(self._publish(self._client, subject, message))
        task.add_done_callback(_spoken)

    async def _publish(self, client: Client, subject: str, message: bytes) -> None:
        try:
            await client.publish(subject, message)
        except Exception as error:  # the connection went meanwhile
            self._drop()
            await self._troubled(error)

    def _drop(self) -> None:
        self.dropped += 1

    async def _troubled(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._told:  # each trouble once, however often it is tried
            self._told = said
            logger.warning("bus: %s: %s", self._server, said)

    async def _disconnected(self) -> None:
        logger.warning("bus: %s: connection lost", self._server)

    async def _reconnected(self) -> None:
        self._told = ""
        logger.info("bus: connected again")


class _Member:
    """One subscription, over all connections."""

    def __init__(self, bus: NatsBus, pattern: str, inbox: Inbox) -> None:
        self.pattern = pattern
        self.held: NatsSubscription | None = None
        self._bus = bus
        self._inbox = inbox

    async def heard(self, message: Msg) -> None:
        """One message from the wire."""
        reply: str = message.reply
        answer = (lambda found: self._bus.send_answer(reply, found)) if reply else None
        self._inbox.put(message.subject, message.data, answer)

    async def end(self) -> None:
        await self._bus.forget(self)
        await self._inbox.end()


def _spoken(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("bus: publishing failed", exc_info=task.exception())
