"""Keeping Sanwang itself: one sealed file with everything that an instance cannot make again.

Inside the seal is a tar archive; its first member is ``manifest.json``::

    {"format": "sanwang backup 1", "instance", "county", "folder": where the county's files were, "made_at", "made_on",
     "who", "why", "audit": [entries, digest of the last], "configs": newest commit or "",
     "files": {path: {"sha256", "size", "mode"}}}

and then these files, below the instance's folder:

======================  ============================================================================
``sanwang.db``          the store (audit, meetings, events), copied by SQLite while others write it
``identity/``           vault, its key, the county's authority
``county-files/``       the county's YAML files, switches included
``changes/``            plans that were applied, and their journals
``applied/``            the county's files as they were last applied whole
``environment``         its name, when it is not the twin's
``broker/``             what may still be armed on devices (session logs are left out)
``configs.bundle``      the git repository of devices' configurations
======================  ============================================================================

Measurements (Prometheus) and the twin's disks are not in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from identity.files import locked
from identity.secrets import Secrets
from inventory.places import Places
from provision.backup.archive import Archive, ArchiveError, place
from provision.backup.sealed import Sealer, SealError, decode_key, fingerprint, key_id
from store.audit import record, verify_chain
from store.engine import open_store

FORMAT = "sanwang backup 1"
MANIFEST = "manifest.json"
KEY = "psk/backup"
"""The vault's name of the recovery key: 32 bytes, base64."""

KEY_VARIABLE = "SANWANG_BACKUP_KEY"
KEY_FILE = Path("/etc/sanwang/backup.key")
"""Where a standby management host has it."""

COUNTY, CONFIGS, STORE = "county-files", "configs.bundle", "sanwang.db"
SUFFIX = ".swb"
_KEPT = ("environment", "identity", "changes", "applied", "broker")
_LEFT_OUT = (".lock", ".log", ".sock")


class BackupError(Exception):
    """It cannot be kept here (exit code 3); says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a backup."""

    sha256: str
    size: int
    mode: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds; see the module's text."""

    instance: str
    county: str
    folder: str
    made_at: str
    made_on: str
    who: str
    why: str
    audit: tuple[int, str]
    configs: str
    files: dict[str, Entry]

    def text(self) -> bytes:
        """As it stands in the archive."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, sort_keys=True, indent=1).encode()

    @classmethod
    def parse(cls, data: bytes, name: str) -> Manifest:
        """SealError for anything that ``text`` never wrote: a backup of another version."""
        try:
            document: dict[str, Any] = json.loads(data)
            if document.pop("format") != FORMAT:
                raise ValueError("another format")
            files = {path: Entry(**each) for path, each in document.pop("files").items()}
            entries, head = document.pop("audit")
            return cls(**document, files=files, audit=(int(entries), str(head)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            found = f"{name}: {MANIFEST}: found another document ({error!r:.80}); expected {FORMAT!r}"
            raise SealError(f"{found}: restore it with the version that made it") from None


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was just written."""

    path: str
    bytes: int
    sha256: str
    files: int
    key: str  # id of the recovery key
    removed: list[str]  # older ones, by ``keep``
    seconds: float


def recovery_key(places: Places) -> str:
    """The instance's recovery key, base64; made when it is first asked for."""
    return Secrets(places.lib / "identity").resolve(KEY).strip()


def find_key(places: Places, given: Path | None = None) -> bytes:
    """The recovery key to open a backup with: a file, SANWANG_BACKUP_KEY, this host's copy, or this instance's vault.

    SealError when none of them has it.
    """
    if given is not None:
        try:
            return decode_key(given.read_text(encoding="utf-8"), str(given))
        except (OSError, UnicodeDecodeError) as error:
            raise SealError(f"{given}: found no recovery key ({error}); expected a file that holds it") from None
    if text := os.environ.get(KEY_VARIABLE):
        return decode_key(text, KEY_VARIABLE)
    if KEY_FILE.is_file():
        return decode_key(KEY_FILE.read_text(encoding="utf-8"), str(KEY_FILE))
    if (places.lib / "identity" / "vault.bin").is_file():
        return decode_key(recovery_key(places), KEY)
    raise SealError(
        f"found no recovery key; expected it in a file (--key FILE), in {KEY_VARIABLE} or in {KEY_FILE}:"
        " `sanwang backup key` printed it for the safe"
    )


def create(places: Places, out: Path, *, who: str, why: str, keep: int = 0) -> Made:
    """Write a backup to ``out``: a file, or a folder in which it gets a name by its time.

    ``keep``: remove all but the newest so many of this instance in that folder.  The file is there whole or not at all.

    Raises BackupError when something is not there or cannot be read or written.
    """
    began_s = time.monotonic()
    if not (places.lib / "county").is_file():
        raise BackupError(f"{places.lib}: found no county; expected an instance that was up once: see --instance")
    if not make_url(places.database).drivername.startswith("sqlite"):
        raise BackupError(f"the store is {make_url(places.database).render_as_string()}: keep it with its own pg_dump")
    key = decode_key(recovery_key(places), KEY)
    now = datetime.now(UTC)
    folder = out if out.is_dir() else out.absolute().parent
    path = out / f"sanwang-{places.instance}-{now:%Y%m%dT%H%M%S}Z{SUFFIX}" if out.is_dir() else out.absolute()
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=places.lib) as work, beside.open("xb") as target:
            os.fchmod(target.fileno(), 0o600)
            count = _write(places, Path(work), target, key, now, who, why)
            target.flush()
            os.fsync(target.fileno())
        beside.replace(path)
    except (OSError, sqlite3.Error, ArchiveError) as error:
        raise BackupError(f"{path}: no backup was made: {error}") from None
    finally:
        beside.unlink(missing_ok=True)
    removed = _thin(folder, places.instance, keep) if out.is_dir() and keep else []
    made = Made(
        str(path),
        path.stat().st_size,
        fingerprint(path),
        count,
        key_id(key),
        removed,
        round(time.monotonic() - began_s, 2),
    )
    store = open_store(places.database)
    try:
        with store.session() as session:
            detail = {"file": made.path, "sha256": made.sha256, "bytes": made.bytes, "files": count}
            record(session, who, "backup.system", why, {**detail, "removed": removed})
    finally:
        store.close()
    return made


def _write(places: Places, work: Path, target: Any, key: bytes, now: datetime, who: str, why: str) -> int:
    """Everything into the sealed tar; returns how many files."""
    county = Path((places.lib / "county").read_text().strip())
    head = _copy_store(places, work / STORE)
    commit = _bundle(places, work / CONFIGS)
    sources: dict[str, bytes | Path] = {STORE: work / STORE, **dict(_county_files(county))}
    if commit:
        sources[CONFIGS] = work / CONFIGS
    modes = {}
    with ExitStack() as stack:  # vault and authority as they are at one moment; the vault's lock is always taken first
        for lock in ("vault.lock", "ca.lock"):
            stack.enter_context(locked(places.lib / "identity" / lock))
        for name in _KEPT:
            top = places.lib / name
            for file in sorted(top.rglob("*")) if top.is_dir() else [top]:
                if file.is_file() and not file.is_symlink() and not file.name.endswith(_LEFT_OUT):
                    inside = file.relative_to(places.lib).as_posix()
                    sources[inside] = file.read_bytes()
                    modes[inside] = file.stat().st_mode & 0o777
    entries = {path: _entry(source, modes.get(path, 0o600)) for path, source in sources.items()}
    manifest = Manifest(
        instance=places.instance,
        county=county.name,
        folder=str(county),
        made_at=now.isoformat(timespec="seconds"),
        made_on=socket.gethostname(),
        who=who,
        why=why,
        audit=head,
        configs=commit,
        files=entries,
    )
    with Sealer(target, key) as sealer, tarfile.open(fileobj=sealer, mode="w|") as tar:
        _add(tar, MANIFEST, manifest.text(), 0o600)
        for path, source in sources.items():
            _add(tar, path, source, entries[path].mode)
    return len(entries)


def _county_files(county: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(county.glob("**/*.y*ml")):
        yield f"{COUNTY}/{file.relative_to(county).as_posix()}", file.read_bytes()


def _copy_store(places: Places, copy: Path) -> tuple[int, str]:
    """An online copy of the store, proved to be whole; its audit's (entries, last digest)."""
    source = Path(str(make_url(places.database).database))
    if not source.is_file():
        raise BackupError(f"{source}: found no store; expected the instance's: `sanwang up` makes it")
    with closing(sqlite3.connect(source, timeout=30.0)) as live, closing(sqlite3.connect(copy)) as target:
        live.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        if (found := target.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            raise BackupError(f"{source}: the store is damaged ({found}): nothing was kept; restore an older backup")
    store = open_store(f"sqlite:///{copy}")
    try:
        with store.reading() as session:
            chain = verify_chain(session)
    finally:
        store.close()
    if not chain.ok:
        raise BackupError(f"{source}: the audit's chain does not hold: {chain.problems[0]}: look before it is kept")
    return chain.head


def _bundle(places: Places, target: Path) -> str:
    """The devices' repository as one file; its newest commit, "" when it holds none."""
    repository = place(places)
    commit = Archive(repository).head() if repository.is_dir() else ""
    if commit:
        command = ["git", "--git-dir", str(repository), "bundle", "create", "--quiet", str(target), "--all"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise BackupError(f"{repository}: git bundle: {done.stderr.strip()[-300:]}")
    return commit


def _entry(source: bytes | Path, mode: int) -> Entry:
    if isinstance(source, Path):
        return Entry(fingerprint(source), source.stat().st_size, mode)
    return Entry(hashlib.sha256(source).hexdigest(), len(source), mode)


def _add(tar: tarfile.TarFile, path: str, source: bytes | Path, mode: int) -> None:
    member = tarfile.TarInfo(path)
    member.mode = mode
    if isinstance(source, Path):
        member.size = source.stat().st_size
        with source.open("rb") as file:
            tar.addfile(member, file)
    else:
        member.size = len(source)
        tar.addfile(member, io.BytesIO(source))


def _thin(folder: Path, instance: str, keep: int) -> list[str]:
    """Remove all but the newest ``keep`` of an instance; their names tell their times."""
    found = sorted(folder.glob(f"sanwang-{instance}-*{SUFFIX}"))
    for old in found[:-keep]:
        old.unlink()
    return [str(old) for old in found[:-keep]]
