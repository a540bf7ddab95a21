"""Where an instance of a county keeps its things on disk.

An instance has a name (default: the county's, ``shili``); two instances never share a path.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COUNTIES = CHECKOUT / "inventory" / "counties"
_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of one instance.

    >>> Places("shili").run
    PosixPath('/run/sanwang/shili')
    """

    instance: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.instance):
            raise ValueError(f"instance {self.instance!r}: expected 1-12 letters and digits, a letter first")

    @property
    def run(self) -> Path:
        """Sockets, pids, twin state: gone after a reboot."""
        return Path("/run/sanwang") / self.instance

    @property
    def lib(self) -> Path:
        """CA, secrets, database, Prometheus data: kept."""
        return Path("/var/lib/sanwang") / self.instance

    @property
    def hosts(self) -> Path:
        """The twin's disks: one folder per host, holding its /etc and /var."""
        return self.lib / "hosts"

    @property
    def database(self) -> str:
        """SQLAlchemy URL; SANWANG_DATABASE overrides it (PostgreSQL)."""
        return os.environ.get("SANWANG_DATABASE", f"sqlite:///{self.lib}/sanwang.db")

    @property
    def broker_socket(self) -> Path:
        """Where the device broker listens."""
        return self.run / "broker.sock"

    @property
    def collect_socket(self) -> Path:
        """Where the collector answers (state of the county as it sees it)."""
        return self.run / "collect.sock"

    @property
    def serve_socket(self) -> Path:
        """Where the pages are also offered, for the machine's own loopback."""
        return self.run / "serve.sock"

    @property
    def door_socket(self) -> Path:
        """The same for the door that asks for a person's certificate."""
        return self.run / "door.sock"


def current_instance() -> str:
    """The instance that commands act on: SANWANG_INSTANCE, else ``shili``."""
    return os.environ.get("SANWANG_INSTANCE", "shili")
