"""An encoder that knows nothing of us: FFmpeg's own WHIP muxer, as PyAV's wheel carries it.

``python -m tests.vconf.encoder URL < token``: a grey picture and a tone, H.264 and Opus, until it is killed.  A process
of its own, because the muxer speaks HTTP with the interpreter's lock held.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from identity.ca import CountyCA

SIZE = 320, 240
_RATE, _TONE_HZ, _FRAMES = 48_000, 1_000, 15
_PERIOD = [round(8000 * math.sin(n * math.tau / 48)).to_bytes(2, "little", signed=True) * 2 for n in range(48)]


def picture(luma: int) -> av.VideoFrame:
    """One colour."""
    frame = av.VideoFrame(*SIZE, "yuv420p")
    for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
        plane.update(bytes((value,)) * plane.buffer_size)
    return frame


def tone(number: int) -> av.AudioFrame:
    """The 20 ms of that number."""
    frame = av.AudioFrame("s16", "stereo", _RATE // 50)
    frame.planes[0].update(b"".join(_PERIOD * 20))
    frame.sample_rate, frame.pts, frame.time_base = _RATE, number * _RATE // 50, Fraction(1, _RATE)
    return frame


def main(url: str, token: str, folder: Path) -> None:
    """Until the process ends.  FFmpeg with GnuTLS makes keys of 224 bits, which OpenSSL refuses: ours here."""
    key, certificate = CountyCA(folder).issue_device("encoder")
    (folder / "encoder.key").write_text(key)
    (folder / "encoder.crt").write_text(certificate)
    files = {"cert_file": str(folder / "encoder.crt"), "key_file": str(folder / "encoder.key")}
    options = {"authorization": token, "whip_flags": "dtls_active"} | files
    with av.open(url, "w", format="whip", options=options) as out:
        camera = out.add_stream("libx264", rate=_FRAMES)
        voice = out.add_stream("libopus", rate=_RATE, layout="stereo")
        assert isinstance(camera, VideoStream)
        assert isinstance(voice, AudioStream)
        camera.width, camera.height, camera.pix_fmt = *SIZE, "yuv420p"
        camera.options = {"profile": "baseline", "tune": "zerolatency", "g": str(_FRAMES)}
        began_s, heard = time.monotonic(), 0
        for number in range(1_000_000):
            frame = picture(120)
            frame.pts, frame.time_base = number, Fraction(1, _FRAMES)
            out.mux(camera.encode(frame))
            while heard * _FRAMES < (number + 1) * 50:
                out.mux(voice.encode(tone(heard)))
                heard += 1
            time.sleep(max(0.0, began_s + number / _FRAMES - time.monotonic()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(sys.argv[1], sys.stdin.readline().strip(), Path(name))
