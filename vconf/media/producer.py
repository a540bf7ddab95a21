"""One thing a venue sends (camera, slides, microphone) and the receivers' shares of it, on the control side."""

from __future__ import annotations

from dataclasses import dataclass, field

from vconf.media import capabilities, ortc
from vconf.media.ortc import Announced
from vconf.media.plane import LEVEL_ID, ORIENTATION_ID, Plane, StreamFormat
from vconf.media.source import Source
from vconf.media.transport import Transport

SOURCES = {"microphone": "audio", "camera": "video", "slides": "video"}
PRIORITY = {"slides": 1}
"""Slides before cameras; consumers may say otherwise."""

_OURS = {capabilities.AUDIO_LEVEL: LEVEL_ID, capabilities.ORIENTATION: ORIENTATION_ID}
_LIVE_US = 1_000_000
_LOOK_US = 200_000


@dataclass(slots=True)
class Consumer:
    """A receiver's share of a producer, or a place that several have in turn (``producer``: who now, None nobody)."""

    id: str
    transport: Transport
    producer: Producer | None
    leg: int  # in the plane
    kind: str
    ssrc: int
    rtx_ssrc: int
    cname: str
    paused: bool = True  # by the page
    withheld: bool = False  # the path does not carry it
    priority: int = 0
    most: int | None = None  # highest layer allowed
    layer: int = -1  # index of the one chosen
    keyframe_requests: int = 0
    fraction_lost: int = 0  # last report, 0..255
    is_place: bool = False  # for whoever speaks, or for the picture that is shown
    decodes: frozenset[str] = frozenset()  # codecs, of a picture's place
    fixed: int | None = None  # the one layer that a pipe's leg carries
    wanted: bool = True  # at the other end of the pipe; by a receiver always
    fed: int = 0  # the stream that feeds it now
    reported_s: float = -1e9  # the last sender report, and what its timestamps counted from
    reported_from: int = -1


@dataclass(slots=True)
class Producer:
    """Layers lowest first, as the browser announces them; consumers by id.

    SSRCs of layers known only by rid are pinned at first sight: browsers send the rid on the first packets only.
    """

    id: str
    transport: Transport
    announced: Announced
    plane: Plane
    source: str  # one of SOURCES
    peer: str  # whose it is
    paused: bool = False
    room: str = ""  # where it is seen; through a pipe come streams of many
    audible: bool = True  # among the loudest
    consumers: dict[str, Consumer] = field(default_factory=dict)
    layers: list[Source | None] = field(default_factory=list)
    _live: list[bool] = field(default_factory=list)
    _known: list[bool] = field(default_factory=list)
    _looked_us: int = -1_000_000

    def __post_init__(self) -> None:
        self.room = self.room or self.transport.room
        self.layers = [self._source(e.ssrc, e.rid) if e.ssrc else None for e in self.announced.encodings]

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self.announced.kind

    def sources(self) -> list[Source]:
        """The layers that were seen or announced by SSRC, lowest first."""
        return [source for source in self.layers if source is not None]

    def pin(self, rid: str, ssrc: int, now_us: int) -> Source | None:
        """Tie an SSRC to the layer of that rid; None when the rid was not announced or is taken."""
        for index, encoding in enumerate(self.announced.encodings):
            if encoding.rid == rid:
                if self.layers[index] is None:
                    self.layers[index] = made = self._source(ssrc, rid)
                    made.seen_us = now_us
                    self.look_again()
                source = self.layers[index]
                return source if source is not None and source.ssrc == ssrc else None
        return None

    def live(self, now_us: int) -> list[bool]:
        """Which layers arrive, lowest first; before anything does, the lowest that is known: browsers
        begin with it.

        Looked at every fifth of a second at most, because every receiver asks; ``look_again`` is for what is new.
        """
        if now_us - self._looked_us > _LOOK_US:
            self._looked_us, self._live = now_us, self._look(now_us)
        return self._live

    def has_changed(self, now_us: int) -> bool:
        """Whether other layers arrive than at the last call."""
        before, self._known = self._known, list(self.live(now_us))
        return self._known != before

    def look_again(self) -> None:
        """Something has changed."""
        self._looked_us = -1_000_000

    def _look(self, now_us: int) -> list[bool]:
        arrivals = [
            (now_us if s.offered(now_us) else max(self.plane.stream_state(s.stream).arrival_us, s.seen_us)) if s else 0
            for s in self.layers
        ]
        newest = max(arrivals, default=0)
        if newest:
            return [bool(at) and newest - at < _LIVE_US for at in arrivals]
        known = [index for index, source in enumerate(self.layers) if source is not None]
        return [bool(known) and index == known[0] for index in range(len(self.layers))]

    def gate(self) -> None:
        """Tell the plane whether it is forwarded."""
        for source in self.sources():
            self.plane.set_open(source.stream, self.audible and not self.paused)

    def _source(self, ssrc: int, rid: str) -> Source:
        announced = self.announced
        entry = ortc.router_codec(announced.codec)
        payload_type = int(entry["preferredPayloadType"])
        form = StreamFormat(
            announced.kind,
            announced.codec,
            announced.clock_hz,
            announced.payload_type,
            announced.rtx_payload_type,
            payload_type,
            payload_type + 1,
            tuple(
                (announced.extensions[uri], _OURS[uri])
                for uri in capabilities.PASSED[announced.kind]
                if uri in announced.extensions
            ),
            announced.extensions.get(capabilities.AUDIO_LEVEL, 0),
        )
        source = Source(self.plane.add_stream(form), ssrc, announced.kind, rid)
        self.plane.set_open(source.stream, self.audible and not self.paused)
        self.plane.bind(self.transport.handle, ssrc, source.stream)
        return source
