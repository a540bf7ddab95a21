"""What a receiver's path carries, estimated at the sender (Google congestion control in its small form).

After draft-ietf-rmcat-gcc-02: the delay part looks at how the one-way delay grows and the loss part at what was lost;
the estimate is the smaller.  One sample a feedback (every 50 to 250 ms), not one a packet: the figure chooses layers,
which are a factor of two and more apart, and 300 receivers report ten times a second each.
"""

from __future__ import annotations

START_BPS = 3_000_000
LEAST_BPS, MOST_BPS = 50_000, 100_000_000

_SLICE_US = 175_000  # four make the window: the delay of the later two is held against that of the earlier two
_BASE_SLICE_US = 2_500_000  # four make the time after which an empty queue's delay is forgotten
_THRESHOLD_MS, _LEAST_THRESHOLD_MS, _MOST_THRESHOLD_MS = 15.0, 12.0, 60.0
_STANDING_MS = 200.0  # a queue this long is too much, growing or not
_WRAP_US = 0x1000000 * 64_000
_BACK_OFF, _MOST_BACK_OFF, _HOLD_US = 0.85, 0.6, 300_000
_GROW_A_SECOND = 0.08
_AHEAD = 1.5  # an estimate never runs further ahead of what was delivered
_LEAST_RATE_US = 30_000  # over less than this no rate is known
_FORGET = 0.9  # weight of older losses, each feedback
_STALE_US = 2_000_000  # a receiver that tells nothing for so long has nothing to tell of: nothing is sent to it
_TELLING = 20  # packets; of fewer no share is worth anything
_NEVER = float("inf")


class Estimator:
    """Estimate for one transport, bits per second; all times in microseconds."""

    __slots__ = (
        *(
            "_at_us",
            "_base",
            "_base_slice",
            "_clock",
            "_delays",
            "_held_us",
            "_last_us",
            "_loss_bps",
            "_lost",
            "_origin_us",
        ),
        *("_octets", "_packets", "_slice", "_starts", "_threshold_ms", "bps", "feedbacks", "last_overuse_us"),
        *("overuses", "remb_bps", "sampled"),
    )

    def __init__(self, now_us: int) -> None:
        self.bps = START_BPS
        self.remb_bps = 0
        self.feedbacks = self.overuses = 0
        self.sampled = False  # something came to go by
        self.last_overuse_us = 0
        self._slice = self._base_slice = 0
        self._delays = [_NEVER] * 4  # shortest one-way delay of each slice, less a constant, ms
        self._base = [_NEVER] * 4
        self._starts: list[tuple[int, int]] = []  # where each slice began: (arrival, octets delivered up to there)
        self._at_us = self._octets = self._origin_us = 0
        self._lost = self._packets = 0.0  # lately
        self._clock = 0  # receiver's clock, unwrapped
        self._threshold_ms = _THRESHOLD_MS
        self._held_us = self._last_us = now_us
        self._loss_bps = MOST_BPS

    def feedback(self, *, sent_us: int, arrived_us: int, octets: int, lost: int, packets: int, now_us: int) -> None:
        """One transport-cc feedback.

        Args:
            sent_us: When the newest packet that came had been sent.
            arrived_us: When it came, by the receiver's wrapping clock.
            octets: Sent up to it since the start, less what was lost.
            lost: How many of ``packets`` did not come.
            packets: Sequence numbers in this feedback.
            now_us: Our clock.
        """
        self.feedbacks += 1
        self.sampled = True
        arrived_us = self._clock + (arrived_us - self._clock + _WRAP_US // 2) % _WRAP_US - _WRAP_US // 2
        self._clock = max(self._clock, arrived_us)
        if now_us - self._last_us > _STALE_US:
            self._lost = self._packets = 0.0
        self._lost = self._lost * _FORGET + lost
        self._packets = self._packets * _FORGET + packets
        self._at_us, self._octets = arrived_us, octets
        growth_ms, queue_ms = self._delay(arrived_us, (arrived_us - sent_us) / 1000)
        self._adapt(abs(growth_ms), now_us)
        if (growth_ms > self._threshold_ms and queue_ms > self._threshold_ms) or queue_ms > _STANDING_MS:
            self._overuse(now_us)
        elif growth_ms < -self._threshold_ms and queue_ms > self._threshold_ms:
            self._held_us = now_us + _HOLD_US // 3  # the queue drains: let it
        elif now_us >= self._held_us:
            self._grow(now_us)
        self._by_loss(now_us)
        self._last_us = now_us

    def remb(self, bps: int, now_us: int) -> None:
        """The receiver's own estimate, where transport-cc does not come."""
        self.sampled = True
        self.remb_bps = max(LEAST_BPS, min(MOST_BPS, bps))
        if not self.feedbacks:
            if self.remb_bps < self.bps:
                self.last_overuse_us = now_us
            self.bps = self.remb_bps

    def delivered_bps(self) -> int:
        """What arrived over the last half second or so, by the receiver's clock; 0 when there is too little to say."""
        if not self._starts:
            return 0
        begin_us, before = self._starts[0]
        took_us = self._at_us - begin_us
        return (self._octets - before) * 8_000_000 // took_us if took_us >= _LEAST_RATE_US else 0

    @property
    def is_limited(self) -> bool:
        """Whether the path, and not only our caution, has set the estimate."""
        return bool(self.overuses or (self.remb_bps and not self.feedbacks)) or self._loss_bps < MOST_BPS

    def loss(self, now_us: int) -> float:
        """Share that was lost lately; 0 where too little is known, or nothing new: who gets nothing tells nothing."""
        known = self._packets >= _TELLING and now_us - self._last_us <= _STALE_US
        return self._lost / self._packets if known else 0.0

    def _grow(self, now_us: int) -> None:
        seconds = min(1.0, (now_us - self._last_us) / 1e6)
        delivered = self.delivered_bps()
        grown = self.bps * (1 + _GROW_A_SECOND * seconds) + 1_000 * seconds
        ahead = max(self.bps, int(delivered * _AHEAD) + 10_000)  # little is sent, so little is known: stay
        self.bps = int(max(min(grown, ahead, self._loss_bps, MOST_BPS), min(0.95 * delivered, self._loss_bps)))

    def _overuse(self, now_us: int) -> None:
        if now_us < self._held_us and self.overuses:
            return  # what was done about it has not shown yet
        self.overuses += 1
        self.last_overuse_us = now_us
        self._held_us = now_us + _HOLD_US
        delivered = self.delivered_bps() or self.bps
        # what was delivered may be little because little was sent: not further down at a time
        self.bps = max(LEAST_BPS, int(max(min(self.bps, delivered) * _BACK_OFF, self.bps * _MOST_BACK_OFF)))

    def _by_loss(self, now_us: int) -> None:
        """Section 6: over 10 % lost, go down by half of it; under 2 %, forget about it."""
        if self._packets < _TELLING:
            return
        loss = self._lost / self._packets
        if loss > 0.1:
            if now_us - self.last_overuse_us > 2 * _HOLD_US:
                self.last_overuse_us = now_us
                self.bps = self._loss_bps = max(LEAST_BPS, int(self.bps * (1 - loss / 2)))
        elif loss < 0.02:
            self._loss_bps = MOST_BPS

    def _delay(self, arrived_us: int, delay_ms: float) -> tuple[float, float]:
        """How much the delay grew over half the window, and how far it is above that of an empty queue.

        By the shortest of each half: a queue delays every packet, and a busy machine only some.
        """
        delays, base = self._delays, self._base
        if not self._starts:
            self._origin_us = arrived_us
        since_us = arrived_us - self._origin_us
        ahead = since_us // _SLICE_US - self._slice
        if ahead > 0 or not self._starts:
            self._slice = since_us // _SLICE_US
            ahead = min(ahead, 4)
            delays = self._delays = (delays + [_NEVER] * ahead)[-4:]
            self._starts = [*self._starts[-3:], (arrived_us, self._octets)]
            ahead = min(since_us // _BASE_SLICE_US - self._base_slice, 4)
            if ahead > 0:
                self._base_slice = since_us // _BASE_SLICE_US
                base = self._base = (base + [_NEVER] * ahead)[-4:]
        delays[3] = min(delays[3], delay_ms)
        base[3] = min(base[3], delay_ms)
        late, early = min(delays[2], delays[3]), min(delays[0], delays[1])
        return (late - early if early < _NEVER else 0.0), late - min(base)

    def _adapt(self, growth_ms: float, now_us: int) -> None:
        """Section 5.4: the threshold follows the path's own jitter, quickly up to it and slowly down."""
        if growth_ms > self._threshold_ms + 15:
            return  # a sudden jump is no jitter
        gain = 0.0087 if growth_ms > self._threshold_ms else 0.00018
        elapsed_ms = min(100.0, (now_us - self._last_us) / 1000)
        self._threshold_ms += gain * (growth_ms - self._threshold_ms) * elapsed_ms
        self._threshold_ms = min(_MOST_THRESHOLD_MS, max(_LEAST_THRESHOLD_MS, self._threshold_ms))
