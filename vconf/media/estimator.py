"""What a receiver's path carries, estimated at the sender (Google congestion control in its small form).

After draft-ietf-rmcat-gcc-02: the delay part looks at how the one-way delay grows and the loss part at what was lost;
the estimate is the smaller.  One sample a feedback (every 50 to 250 ms), not one a packet: the figure chooses layers,
which are a factor of two and more apart, and 300 receivers report ten times a second each.
"""

from __future__ import annotations

from collections import deque

START_BPS = 3_000_000
LEAST_BPS, MOST_BPS = 50_000, 100_000_000

_WINDOW_US = 700_000  # of delay samples
_SAMPLES = 32
_THRESHOLD_MS, _LEAST_THRESHOLD_MS, _MOST_THRESHOLD_MS = 15.0, 12.0, 60.0
_STANDING_MS = 200.0  # a queue this long is too much, growing or not
_BASE_US = 10_000_000  # the shortest delay of so long is that of an empty queue
_WRAP_US = 0x1000000 * 64_000
_BACK_OFF, _MOST_BACK_OFF, _HOLD_US = 0.85, 0.6, 300_000
_GROW_A_SECOND = 1.08
_AHEAD = 1.5  # an estimate never runs further ahead of what was delivered
_RATE_US = 500_000


class Estimator:
    """Estimate for one transport, bits per second; all times in microseconds."""

    __slots__ = (
        *("_acked", "_base", "_clock", "_delays", "_held_us", "_last_us", "_loss_bps", "_lost", "_threshold_ms", "bps"),
        *("feedbacks", "last_overuse_us", "overuses", "remb_bps", "sampled"),
    )

    def __init__(self, now_us: int) -> None:
        self.bps = START_BPS
        self.remb_bps = 0
        self.feedbacks = self.overuses = 0
        self.sampled = False  # something came to go by
        self.last_overuse_us = 0
        self._delays: deque[tuple[int, float]] = deque(maxlen=_SAMPLES)  # (arrival, one-way delay less a constant, ms)
        self._acked: deque[tuple[int, int]] = deque(maxlen=64)  # (arrival, octets delivered up to here)
        self._lost: deque[tuple[int, int, int]] = deque(maxlen=64)  # (when, lost, of)
        self._base: deque[tuple[int, float]] = deque()  # shortest delays, ascending in delay
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
        self._acked.append((arrived_us, octets))
        self._lost.append((now_us, lost, packets))
        delay_ms = (arrived_us - sent_us) / 1000
        self._delays.append((arrived_us, delay_ms))
        self._note_base(arrived_us, delay_ms)
        growth_ms, queue_ms = self._growth_ms()
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
        """What arrived over the last half second, by the receiver's clock; 0 when there is too little to say."""
        acked = self._acked
        if len(acked) < 2:
            return 0
        end_us, octets = acked[-1]
        for at_us, before in acked:
            if end_us - at_us <= _RATE_US:
                return (octets - before) * 8_000_000 // (end_us - at_us) if end_us - at_us >= 30_000 else 0
        return 0

    @property
    def is_limited(self) -> bool:
        """Whether the path, and not only our caution, has set the estimate."""
        return bool(self.overuses or self.remb_bps) or self._loss_bps < MOST_BPS

    @property
    def loss(self) -> float:
        """Share that was lost lately."""
        lost, packets = sum(entry[1] for entry in self._lost), sum(entry[2] for entry in self._lost)
        return lost / packets if packets else 0.0

    def _grow(self, now_us: int) -> None:
        seconds = min(1.0, (now_us - self._last_us) / 1e6)
        delivered = self.delivered_bps()
        grown = self.bps * _GROW_A_SECOND**seconds + 1_000 * seconds
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
        while self._lost and now_us - self._lost[0][0] > 1_000_000:
            self._lost.popleft()
        if sum(entry[2] for entry in self._lost) < 20:
            return
        loss = self.loss
        if loss > 0.1:
            if now_us - self.last_overuse_us > 2 * _HOLD_US:
                self.last_overuse_us = now_us
                self.bps = self._loss_bps = max(LEAST_BPS, int(self.bps * (1 - loss / 2)))
        elif loss < 0.02:
            self._loss_bps = MOST_BPS

    def _growth_ms(self) -> tuple[float, float]:
        """How much the delay grew over half the window, and how far it is above that of an empty queue.

        By the shortest of each half: a queue delays every packet, and a busy machine only some.
        """
        delays = self._delays
        newest = delays[-1][0]
        while newest - delays[0][0] > _WINDOW_US:
            delays.popleft()
        middle = newest - _WINDOW_US // 2
        early = [delay for at, delay in delays if at < middle]
        late = [delay for at, delay in delays if at >= middle]
        if len(early) < 2 or len(late) < 2:
            return 0.0, 0.0
        return min(late) - min(early), min(late) - self._base[0][1]

    def _note_base(self, at_us: int, delay_ms: float) -> None:
        base = self._base
        while base and base[-1][1] >= delay_ms:
            base.pop()
        base.append((at_us, delay_ms))
        while at_us - base[0][0] > _BASE_US:
            base.popleft()

    def _adapt(self, growth_ms: float, now_us: int) -> None:
        """Section 5.4: the threshold follows the path's own jitter, quickly up to it and slowly down."""
        if growth_ms > self._threshold_ms + 15:
            return  # a sudden jump is no jitter
        gain = 0.0087 if growth_ms > self._threshold_ms else 0.00018
        elapsed_ms = min(100.0, (now_us - self._last_us) / 1000)
        self._threshold_ms += gain * (growth_ms - self._threshold_ms) * elapsed_ms
        self._threshold_ms = min(_MOST_THRESHOLD_MS, max(_LEAST_THRESHOLD_MS, self._threshold_ms))
