"""The agent's part of service checks: every half minute a short run of ``collectors.check``.

Section ``checks``, by service: ``{"kind", "vrf", "address", "port", "up", "seconds", "words", "backend",
"not_after"}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from collectors.agent.config import Check
from collectors.agent.state import AgentState

PERIOD_S = 30.0
_RUN_S = 15.0
_FIRST_S = 5.0
_CODE = Path(__file__).parents[2]


class Checks:
    """All services that this appliance asks."""

    def __init__(self, rows: Sequence[Check], state: AgentState) -> None:
        self._rows = [asdict(row) for row in rows]
        self._state = state

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(_FIRST_S)
        while self._rows:
            try:
                answers = await self._ask()
            except (OSError, ValueError, TimeoutError) as problem:
                self._state.put("sources", "checks", {"ok": False, "error": str(problem) or "no answer in time"})
            else:
                self._state.put("sources", "checks", {"ok": True, "error": ""})
                self._state.replace("checks", {answer.pop("service"): answer for answer in answers})
            await asyncio.sleep(PERIOD_S)

    async def _ask(self) -> list[dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-OO", "-m", "collectors.check",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=_CODE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_RUN_S):
                output, _ = await process.communicate(json.dumps(self._rows).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        answers = json.loads(output or b"null")
        if not isinstance(answers, list):
            raise ValueError(f"the checks ended with {process.returncode}")
        return answers
