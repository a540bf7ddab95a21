"""Parsers of devices' outputs: real samples, our own transcripts, and bytes that are neither."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision.parsers.run import parse
from provision.parsers.transcript import decode

SAMPLES = os.environ.get("SANWANG_SAMPLES")


def command_of(file: Path) -> str:
    """The command whose output a file holds: its name up to ``__``, ``_`` for spaces."""
    return file.name.partition("__")[0].replace("_", " ")


def expected(file: Path) -> list[dict[str, Any]]:
    """The rows written beside a transcript."""
    rows: list[dict[str, Any]] = yaml.safe_load(file.with_suffix(".yml").read_text())["parsed_sample"]
    return rows


@pytest.mark.skipif(not SAMPLES, reason="SANWANG_SAMPLES names no folder of real devices' outputs")
def test_every_real_sample_reads_as_the_file_beside_it() -> None:
    files = sorted(Path(str(SAMPLES)).glob("cli/*/*.raw"))
    assert len(files) >= 21
    for file in files:
        assert parse(file.parent.name, command_of(file), decode(file.read_bytes())) == expected(file), file
