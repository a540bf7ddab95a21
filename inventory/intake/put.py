"""New texts into a county's folder: checked as a whole beside it, then put there as a whole.

All files are first written into ``.import`` and made durable; its renaming to ``.import-whole`` is the moment from
which the import has happened.  A run that is killed later is finished by the next one (``finish``), and until then
``inventory.load`` refuses the county instead of reading half of it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from inventory.load import WHOLE, Loaded, load

_PART = ".import"


def checked(folder: Path, texts: Mapping[str, str]) -> Loaded:
    """The county as it would be.  Raises CountyErrors."""
    with tempfile.TemporaryDirectory(prefix="sanwang-import-") as temporary:
        beside = Path(temporary) / folder.resolve().name
        beside.mkdir()
        for path in folder.glob("*.yml"):
            shutil.copy(path, beside)
        for name, text in texts.items():
            (beside / name).write_text(text, encoding="utf-8")
        return load(beside)


def put(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files, all of them or none.  Raises OSError."""
    finish(folder)
    part = folder / _PART
    part.mkdir()
    try:
        for name, text in texts.items():
            with (part / name).open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        _durable(part)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    part.rename(folder / WHOLE)
    _durable(folder)
    finish(folder)


def finish(folder: Path) -> list[str]:
    """Bring an import that was killed to its end, or to where it never was; the files that were put."""
    shutil.rmtree(folder / _PART, ignore_errors=True)
    whole = folder / WHOLE
    if not whole.is_dir():
        return []
    names = sorted(path.name for path in whole.iterdir())
    for name in names:
        (whole / name).replace(folder / name)
    whole.rmdir()
    _durable(folder)
    return names


def _durable(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
