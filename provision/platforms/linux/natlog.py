"""Who used which public address and port when: every translation at the Internet exit, kept as long as the law asks.

    natlog                          follow the kernel's connection tracking for ever, a line for each begin and end
    natlog find ADDRESS PORT TIME   JSON: who had that public end at that time (UTC, ISO 8601); null when nobody had

Configuration, /etc/sanwang/natlog.json: {"addresses": [the firewall's public ones], "folder", "days"}.  One file for a
day (UTC), tab separated: time, new or end, protocol, inside address, port, outside address, port, public address, port.
Past days are compressed; those older than ``days`` are removed.  Standard library only: it runs on the device.
"""

from __future__ import annotations

import contextlib
import datetime
import glob
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

CONFIGURATION = "/etc/sanwang/natlog.json"
_BUFFER_BYTES = "8388608"  # of the kernel's event queue: a burst of new connections fits
_EVENT = re.compile(
    r"\[(\d+)\.(\d+)\]\s+\[(NEW|DESTROY)\]\s+(\w+)\s.*?src=(\S+) dst=(\S+) (?:sport=(\d+) dport=(\d+)|.*?id=(\d+))"
    r".*?src=(\S+) dst=(\S+) (?:sport=(\d+) dport=(\d+)|.*?id=(\d+))"
)


def row(line: str, public: frozenset[str]) -> list[str] | None:
    """One line of ``conntrack -E -o timestamp`` as a row; None when no public address of ours was lent."""
    found = _EVENT.match(line.strip())
    if found is None or found[11] not in public or found[5] == found[11]:
        return None
    when = datetime.datetime.fromtimestamp(int(found[1]), datetime.UTC)
    time = f"{when:%Y-%m-%dT%H:%M:%S}.{found[2][:3]:0<3}"
    inside, outside = found[7] or found[9], found[8] or "0"
    lent = found[13] or found[14]
    kind = "new" if found[3] == "NEW" else "end"
    return [time, kind, found[4], found[5], inside, found[6], outside, found[11], lent]


def holder(rows: Iterable[list[str]], address: str, port: str, when: str) -> dict[str, str] | None:
    """Who held a public end at a time: the last begin until then that had not ended; rows are in their order."""
    held: dict[tuple[str, str, str], list[str]] = {}
    for each in rows:
        if len(each) != 9 or each[7:] != [address, port] or each[0] > when:
            continue
        key = (each[2], each[5], each[6])  # one public port may be lent once for each far end
        if each[1] == "new":
            held[key] = each
        else:
            held.pop(key, None)
    if not held:
        return None
    last = max(held.values(), key=lambda each: each[0])
    names = ("since", "event", "protocol", "inside", "inside_port", "outside", "outside_port")
    return {name: value for name, value in zip(names, last, strict=False) if name != "event"}


def path_of(folder: str, day: str) -> str:
    """The file of a day, "2026-11-22"."""
    return os.path.join(folder, f"{day}.tsv")


def tidy(folder: str, today: str, days: int) -> None:
    """Compress past days, remove those that need not be kept."""
    oldest = datetime.date.fromisoformat(today) - datetime.timedelta(days=days)
    for path in sorted(glob.glob(os.path.join(folder, "*.tsv*"))):
        day = os.path.basename(path)[:10]
        if day < oldest.isoformat():
            os.unlink(path)
        elif day < today and path.endswith(".tsv"):
            with open(path, "rb") as plain, gzip.open(path + ".gz.new", "wb") as packed:
                shutil.copyfileobj(plain, packed)
            os.rename(path + ".gz.new", path + ".gz")
            os.unlink(path)


def kept(folder: str, until: str) -> Iterator[list[str]]:
    """Every row of the day of ``until`` and of the two before it: connections live no longer without a word."""
    last = datetime.date.fromisoformat(until[:10])
    for back in (2, 1, 0):
        path = path_of(folder, (last - datetime.timedelta(days=back)).isoformat())
        with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as plain:
            yield from (line.rstrip("\n").split("\t") for line in plain)
        with contextlib.suppress(FileNotFoundError), gzip.open(path + ".gz", "rt", encoding="ascii") as packed:
            yield from (line.rstrip("\n").split("\t") for line in packed)


def follow(written: dict[str, Any]) -> int:
    """Write a row for every event until the kernel's stream ends; the supervisor then starts afresh."""
    folder, public = written["folder"], frozenset(written["addresses"])
    os.makedirs(folder, mode=0o700, exist_ok=True)
    argv = ["conntrack", "-E", "-e", "NEW,DESTROY", "-o", "timestamp", "--buffer-size", _BUFFER_BYTES]
    day, file = "", None
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        for line in events.stdout:
            found = row(line, public)
            if found is None:
                continue
            if found[0][:10] != day:
                day = found[0][:10]
                if file is not None:
                    file.close()
                tidy(folder, day, written["days"])
                file = open(path_of(folder, day), "a", encoding="ascii", buffering=1)  # noqa: SIM115
                os.chmod(file.name, 0o600)
            assert file is not None
            file.write("\t".join(found) + "\n")
        return events.wait()


def main(argv: list[str]) -> int:
    """Entry; see the module's text."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        written = json.load(file)
    if argv[:1] == ["find"] and len(argv) == 4:
        print(json.dumps(holder(kept(written["folder"], argv[3]), *argv[1:])))
        return 0
    return follow(written)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
