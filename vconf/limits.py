"""Token buckets: how often an address may knock, how fast a connection may talk."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """``burst`` at once, then ``rate`` a second."""

    rate: float
    burst: float
    _level: float = -1.0
    _at_s: float = 0.0

    def take(self, now_s: float | None = None) -> bool:
        """True while there is room; takes one."""
        now_s = time.monotonic() if now_s is None else now_s
        if self._level < 0:
            self._level = self.burst
        else:
            self._level = min(self.burst, self._level + (now_s - self._at_s) * self.rate)
        self._at_s = now_s
        if self._level < 1:
            return False
        self._level -= 1
        return True


@dataclass(slots=True)
class Buckets:
    """One bucket a key (an address), the least recently seen forgotten first."""

    rate: float
    burst: float
    most: int = 4096
    _held: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)

    def take(self, key: str) -> bool:
        """True while this key has room."""
        bucket = self._held.pop(key, None) or Bucket(self.rate, self.burst)
        self._held[key] = bucket
        if len(self._held) > self.most:
            self._held.popitem(last=False)
        return bucket.take()
