"""Where the operations API reads: the collector over its unix socket, Prometheus and Alertmanager over loopback."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx

Document = dict[str, Any]

_TIMEOUT = httpx.Timeout(5.0)
_STREAM_TIMEOUT = httpx.Timeout(5.0, read=30.0)  # the collector sends a comment line every few seconds
_MAX_EVENT_BYTES = 256 * 1024


class SourceDown(Exception):
    """A source does not answer, or not as it should; the message names it."""


class Collector:
    """The collector's HTTP interface."""

    def __init__(self, socket: Path) -> None:
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://collect", timeout=_TIMEOUT
        )

    async def get(self, path: str) -> Document:
        """One JSON document, such as ``/status`` or ``/links``; SourceDown when it does not come."""
        answer = await _json(self._http, "collector", path, {})
        if not isinstance(answer, dict):
            raise SourceDown(f"collector: the answer to {path} is not an object")
        return answer

    async def events(self) -> AsyncIterator[Document]:
        """The stream of link, host and daemon events (server-sent events); SourceDown when it ends."""
        try:
            async with self._http.stream("GET", "/events", timeout=_STREAM_TIMEOUT) as answer:
                answer.raise_for_status()
                data: list[str] = []
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        data.append(line[5:].lstrip(" "))
                        if sum(map(len, data)) > _MAX_EVENT_BYTES:
                            raise SourceDown("collector: an event is larger than 256 KiB")
                    elif not line and data:
                        text, data = "\n".join(data), []
                        yield _object(text)
        except (httpx.HTTPError, OSError) as problem:
            raise SourceDown(f"collector: {_why(problem)}") from None
        raise SourceDown("collector: the stream of events ended")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class Prometheus:
    """Prometheus' HTTP API.

    Args:
        base_url: The county's own Prometheus.
        transport: Instead of TCP.
        history: Base URL of another that keeps measurements longer ("": none); ranges are read there while it answers.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:9090",
        transport: httpx.AsyncBaseTransport | None = None,
        history: str = "",
    ) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT, transport=transport, trust_env=False)
        self._history = httpx.AsyncClient(base_url=history, timeout=_TIMEOUT, trust_env=False) if history else None

    async def query(self, expression: str) -> list[Document]:
        """An instant query's vector: a list of ``{"metric": {...}, "value": [time, text]}``."""
        answer = await _json(self._http, "Prometheus", "/api/v1/query", {"query": expression})
        return cast(list[Document], answer["data"]["result"])

    async def query_range(self, expression: str, start: float, end: float, step_s: float) -> list[Document]:
        """A range query's matrix: a list of ``{"metric": {...}, "values": [[time, text], ...]}``."""
        parameters = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:g}"}
        if self._history is not None:
            with contextlib.suppress(SourceDown):  # what the county's own still has is better than nothing
                answer = await _json(self._history, "history", "api/v1/query_range", parameters)
                return cast(list[Document], answer["data"]["result"])
        answer = await _json(self._http, "Prometheus", "/api/v1/query_range", parameters)
        return cast(list[Document], answer["data"]["result"])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        if self._history is not None:
            await self._history.aclose()


class Alertmanager:
    """Alertmanager's HTTP API (version 2)."""

    def __init__(self, base_url: str = "http://127.0.0.1:9093", transport: httpx.AsyncBaseTransport | None = None):
        self._http = httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT, transport=transport, trust_env=False)

    async def alerts(self) -> list[Document]:
        """Alerts that are active, neither silenced nor inhibited: ``labels``, ``annotations``, ``startsAt``."""
        wanted = {"active": "true", "silenced": "false", "inhibited": "false"}
        return cast(list[Document], await _json(self._http, "Alertmanager", "/api/v2/alerts", wanted))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


async def _json(http: httpx.AsyncClient, name: str, path: str, parameters: dict[str, str]) -> Any:
    try:
        answer = await http.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()
    except httpx.HTTPStatusError as problem:
        raise SourceDown(f"{name}: {problem.response.status_code} on {path}") from None
    except (httpx.HTTPError, OSError) as problem:
        raise SourceDown(f"{name}: {_why(problem)}") from None
    except ValueError:
        raise SourceDown(f"{name}: the answer to {path} is not JSON") from None


def _object(text: str) -> Document:
    try:
        found = json.loads(text)
    except ValueError:
        raise SourceDown("collector: an event is not JSON") from None
    if not isinstance(found, dict):
        raise SourceDown("collector: an event is not a JSON object")
    return found


def _why(problem: Exception) -> str:
    return str(problem) or type(problem).__name__
