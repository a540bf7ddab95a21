"""A document signed in the county's name: openssl, our own check, and what is refused."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from identity.sealing import SealBroken, sign, verify
from identity.secrets import Secrets


def test_what_was_signed_holds_and_what_was_changed_does_not(tmp_path: Path) -> None:
    secrets, data = Secrets(tmp_path / "identity"), "会议报告\n".encode() * 1000
    seal = sign(secrets, "meetings", data)
    found = verify(secrets.ca.certificate_pem, data, seal)
    assert found.name == "meetings.sanwang.internal"
    assert abs(found.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert not secrets.ca.revoked(found.serial)
    with pytest.raises(SealBroken, match=r"verification failure|digest"):
        verify(secrets.ca.certificate_pem, data + b"x", seal)
    with pytest.raises(SealBroken):
        verify(secrets.ca.certificate_pem, data, seal[:-1] + bytes([seal[-1] ^ 1]))
    with pytest.raises(SealBroken):
        verify(secrets.ca.certificate_pem, data, b"no signature")
    other = Secrets(tmp_path / "other")
    with pytest.raises(SealBroken, match="certificate"):
        verify(other.ca.certificate_pem, data, seal)

    # anybody's openssl, as the module says
    for name, content in (("r.pdf", data), ("r.pdf.p7s", seal), ("ca.pem", secrets.ca.certificate_pem.encode())):
        (tmp_path / name).write_bytes(content)
    command = (
        "openssl cms -verify -binary -inform DER -in r.pdf.p7s -content r.pdf -CAfile ca.pem -no_check_time -out out"
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)

    assert verify(secrets.ca.certificate_pem, data, sign(secrets, "meetings", data)).serial == found.serial
    secrets.ca.revoke(found.serial, "key lost")
    assert secrets.ca.revoked(found.serial)
    assert verify(secrets.ca.certificate_pem, data, sign(secrets, "meetings", data)).serial != found.serial
