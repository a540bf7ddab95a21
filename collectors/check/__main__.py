"""``python -m collectors.check``: rows of questions as JSON on standard input, answers on standard output.

Run by the agent of a centre's router: TLS and a resolver's words are not worth keeping in a process that lives for
ever.  A service that does not answer is asked once more before it counts.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from collectors.check.ask import ask

AGAIN_S = 1.0


def check(row: dict[str, Any]) -> dict[str, Any]:
    """One row: service, kind, vrf, source, address, port -> the same with the answer."""
    words = row["kind"], row["service"], row["vrf"], row["source"], row["address"], row["port"]
    answer = ask(*words)
    if not answer.up:
        time.sleep(AGAIN_S)
        answer = ask(*words)
    return {**row, **asdict(answer)}


def main() -> None:
    """All rows at once."""
    rows = json.load(sys.stdin)
    with ThreadPoolExecutor(8) as pool:
        json.dump(list(pool.map(check, rows)), sys.stdout)


if __name__ == "__main__":
    main()
