"""From a sender's clocks to the recording's time: RTP timestamps, sender reports, arrivals.

A venue's sound and picture have clocks of their own; its sender reports (RFC 3550 section 6.4.1) say what time of day
it was for both, which is what brings them together.  What the venue calls the time of day is brought to ours by the
packets that came fastest.  Nothing here asks for the time: seconds of one monotonic clock are arguments.
"""

from __future__ import annotations

_NTP_UNIT = 2.0**32
_WINDOW_S = 5.0
_SLEW = 0.001  # of the time: nobody hears it
_STEP_S = 0.5
_SET_S = 3.0  # less is a relay that numbered timestamps anew, behind a gap or another layer
_SETTLES_S = 10.0  # what comes first is often late: a recorder has much to do when it begins


class VenueClock:
    """How far a venue's time of day is from ours.

    >>> clock = VenueClock()
    >>> clock.observe(1000.0, 40.1)
    >>> round(clock.ours(1000.5), 3)
    40.6
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._least = self._before = float("inf")  # of this window, and of the one before
        self._first_s = self._window_s = self._seen_s = 0.0

    def observe(self, ntp_s: float, arrived_s: float) -> None:
        """Something of that instant came at this time of ours."""
        apart = arrived_s - ntp_s
        if self._offset_s is None:
            self._offset_s, self._first_s = apart, arrived_s
            self._window_s = self._seen_s = arrived_s
        if arrived_s - self._window_s > _WINDOW_S:
            self._before, self._least, self._window_s = self._least, float("inf"), arrived_s
        self._least = min(self._least, apart)
        wanted, most = min(self._least, self._before), _SLEW * max(0.0, arrived_s - self._seen_s)
        change = wanted - self._offset_s
        self._seen_s = arrived_s
        if abs(change) > _STEP_S or (change < 0 and arrived_s - self._first_s < _SETTLES_S):
            self._offset_s += change
        else:
            self._offset_s += max(-most, min(most, change))

    def ours(self, ntp_s: float) -> float:
        """The same instant in our time; what was observed first says it when nothing else does."""
        return ntp_s + (self._offset_s or 0.0)


class StreamClock:
    """When the frames of one stream were taken, in our time.

    Args:
        hz: Of its timestamps.
        venue: Whose it is; shared with the venue's other streams.
    """

    def __init__(self, hz: int, venue: VenueClock) -> None:
        self._hz = hz
        self._venue = venue
        self._last = -1  # unwrapped
        self._report: tuple[float, int] | None = None  # (NTP seconds, unwrapped timestamp)
        self._shift_s = 0.0  # what the sender's clock was set by since the first report
        self._least_s: float | None = None  # arrival of timestamp 0 as the fastest packet had it

    def report(self, ntp: int, timestamp: int) -> None:
        """A sender report."""
        ntp_s, unwrapped = ntp / _NTP_UNIT, self._unwrapped(timestamp)
        if self._report is not None:
            expected_s = self._report[0] + (unwrapped - self._report[1]) / self._hz
            if abs(ntp_s - self._shift_s - expected_s) > _SET_S:
                self._shift_s = ntp_s - expected_s  # a clock that was set: the sound did not jump with it
        self._report = ntp_s - self._shift_s, unwrapped

    def time(self, timestamp: int, arrived_s: float) -> float:
        """When a frame was taken that came at this time; before the first report as regularly as its numbers say."""
        unwrapped = self._unwrapped(timestamp)
        self._last = max(self._last, unwrapped)
        if self._report is not None:
            ntp_s = self._report[0] + (unwrapped - self._report[1]) / self._hz
            self._venue.observe(ntp_s, arrived_s)
            return self._venue.ours(ntp_s)
        zero_s = arrived_s - unwrapped / self._hz
        if self._least_s is None or abs(zero_s - self._least_s) > 1.0:
            self._least_s = zero_s
        self._least_s = min(self._least_s, zero_s)
        return self._least_s + unwrapped / self._hz

    def _unwrapped(self, timestamp: int) -> int:
        if self._last < 0:
            self._last = timestamp + (1 << 32)
        return self._last + ((timestamp - self._last + 0x80000000) & 0xFFFFFFFF) - 0x80000000
