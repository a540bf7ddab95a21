"""How large a picture is: from an H.264 sequence parameter set (ITU-T H.264 section 7.3.2.1.1) or a VP8 keyframe
(RFC 6386 section 9.1).

Both come from outside.
"""

from __future__ import annotations

_HIGH = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
"""Profiles whose parameter sets say more about chroma."""


class SpsError(ValueError):
    """The bytes are not a sequence parameter set."""


class _Bits:
    """Big-endian bits of a unit, its emulation prevention taken out (section 7.4.1)."""

    def __init__(self, unit: bytes) -> None:
        data = unit.replace(b"\0\0\3", b"\0\0")
        self._bits, self._left = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        """An unsigned number of so many bits."""
        self._left -= count
        if self._left < 0:
            raise SpsError("the parameter set ends too early")
        return self._bits >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        """An unsigned Exp-Golomb number (section 9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise SpsError("a number of more than 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        """A signed one (section 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def h264_size(sps: bytes) -> tuple[int, int]:
    """Width and height in pixels, cropped; SpsError when the unit is malformed."""
    if len(sps) < 4 or sps[0] & 0x1F != 7:
        raise SpsError("not a sequence parameter set")
    bits = _Bits(sps[4:])
    bits.ue()  # seq_parameter_set_id
    chroma = bits.ue() if sps[1] in _HIGH else 1
    if sps[1] in _HIGH:
        _skip_high(bits, chroma)
    bits.ue()  # log2_max_frame_num_minus4
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    bits.ue()  # max_num_ref_frames
    bits.take(1)
    width, height = 16 * (bits.ue() + 1), 16 * (bits.ue() + 1)
    frames_only = bits.take(1)
    height *= 2 - frames_only
    if not frames_only:
        bits.take(1)
    bits.take(1)  # direct_8x8_inference_flag
    if bits.take(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * (2 - frames_only)
    if not (0 < width <= 16384 and 0 < height <= 16384):
        raise SpsError(f"{width} x {height} pixels")
    return width, height


def _skip_high(bits: _Bits, chroma: int) -> None:
    if chroma == 3:
        bits.take(1)
    bits.ue()
    bits.ue()
    bits.take(1)
    if not bits.take(1):
        return
    for number in range(12 if chroma == 3 else 8):
        if bits.take(1):
            last = following = 8
            for _ in range(16 if number < 6 else 64):
                if following:
                    following = (last + bits.se()) % 256
                last = following or last


def vp8_size(frame: bytes) -> tuple[int, int]:
    """Width and height that a VP8 keyframe says; SpsError when it is none."""
    if len(frame) < 10 or frame[0] & 1:
        raise SpsError("not a VP8 keyframe")
    width, height = int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF
    if not width or not height:
        raise SpsError(f"{width} x {height} pixels")
    return width, height
