"""What the door needs of SDP without the library that reads it: ``sdp`` brings 37 MB of codecs along."""

from __future__ import annotations

import re

MOST_CHARACTERS = 64 * 1024
_UFRAG = re.compile(r"^a=ice-ufrag:(\S{4,256})\s*$", re.MULTILINE)
_PWD = re.compile(r"^a=ice-pwd:(\S{22,256})\s*$", re.MULTILINE)


class SdpError(ValueError):
    """The offer cannot be used; ``malformed`` when it is no SDP at all."""

    def __init__(self, text: str, *, malformed: bool = False) -> None:
        super().__init__(text)
        self.malformed = malformed


def fragment(text: str) -> tuple[str, str] | None:
    """(ufrag, pwd) of a trickle fragment (RFC 8840 section 9); None when it restarts nothing."""
    ufrag, pwd = _UFRAG.search(text[:MOST_CHARACTERS]), _PWD.search(text[:MOST_CHARACTERS])
    return (ufrag[1], pwd[1]) if ufrag and pwd else None
