"""What a video payload tells without decoding: keyframe starts, and VP8's picture numbers.

H.264: RFC 6184 (single NAL, STAP-A, FU-A).  VP8: RFC 7741 section 4.2.  Payloads come from outside:
anything odd is simply "not a keyframe".
"""

from __future__ import annotations

_IDR, _SPS, _STAP_A, _FU_A = 5, 7, 24, 28


def h264_keyframe(payload: bytes) -> bool:
    """True when an H.264 payload starts a keyframe: it holds a parameter set or an IDR slice's first byte."""
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind in (_IDR, _SPS):
        return True
    if kind == _STAP_A:
        offset = 1
        while offset + 3 <= len(payload):
            if payload[offset + 2] & 0x1F in (_IDR, _SPS):
                return True
            offset += 2 + (payload[offset] << 8 | payload[offset + 1])
        return False
    if kind == _FU_A and len(payload) > 1:
        return bool(payload[1] & 0x80) and payload[1] & 0x1F in (_IDR, _SPS)
    return False


def vp8_keyframe(payload: bytes) -> bool:
    """True when a VP8 payload is the first packet of a keyframe."""
    offset = vp8_header(payload)
    if offset is None or not payload[0] & 0x10 or payload[0] & 0x07:
        return False
    return offset < len(payload) and not payload[offset] & 0x01


def vp8_numbers(payload: bytes) -> tuple[int, int] | None:
    """(picture id of 15 bits, TL0PICIDX or -1); None when the payload carries no long picture id."""
    if vp8_header(payload) is None or not payload[0] & 0x80 or not payload[1] & 0x80 or not payload[2] & 0x80:
        return None
    picture = (payload[2] & 0x7F) << 8 | payload[3]
    return picture, payload[4] if payload[1] & 0x40 else -1


def vp8_renumber(payload: bytes, picture_offset: int, tl0_offset: int) -> bytes:
    """The payload with both numbers moved; unchanged when it carries no long picture id."""
    numbers = vp8_numbers(payload)
    if numbers is None:
        return payload
    picture, tl0 = numbers
    patched = bytearray(payload)
    picture = (picture + picture_offset) & 0x7FFF
    patched[2], patched[3] = 0x80 | picture >> 8, picture & 0xFF
    if tl0 >= 0:
        patched[4] = (tl0 + tl0_offset) & 0xFF
    return bytes(patched)


def vp8_header(payload: bytes) -> int | None:
    """Length of the payload descriptor; None when the payload is shorter than it says."""
    if not payload:
        return None
    offset = 1
    if payload[0] & 0x80:
        if len(payload) < 2:
            return None
        flags = payload[1]
        offset = 2
        if flags & 0x80:
            if len(payload) < 3:
                return None
            offset += 2 if payload[2] & 0x80 else 1
        offset += bool(flags & 0x40) + bool(flags & 0x30)
    return offset if offset <= len(payload) else None
