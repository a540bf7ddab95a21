"""Reading a backup of Sanwang itself, and putting it in an instance's place: whole, or not at all.

Everything is unpacked into a new folder and proved there; only then does that folder take the place of the old one, by
renaming.  What was there before stays beside it until somebody removes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from identity.vault import Vault, VaultError
from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.places import Places
from provision.backup.archive import Archive
from provision.backup.sealed import Opener, SealError, fingerprint
from provision.backup.system import CONFIGS, COUNTY, MANIFEST, STORE, BackupError, Manifest
from provision.broker.client import BrokerClient
from store.audit import record, verify_chain
from store.engine import open_store

_MANIFEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PutBack:
    """How it went."""

    path: str
    instance: str
    made_at: str
    files: int
    audit_entries: int
    county: str  # folder of the county's files that the instance reads now
    before: str  # where the old state is; "" when there was none
    seconds: float


def check(path: Path, key: bytes) -> Manifest:
    """Read a backup to its end and prove every byte; writes nothing.  SealError when it is not whole."""
    return _read(path, key, None)


def put_back(places: Places, path: Path, key: bytes, *, who: str, why: str, own_county: bool = False) -> PutBack:
    """Make the instance what the backup holds.

    The county's files are read where they were when nothing of them has changed there, else (and always with
    ``own_county``) from the instance's own folder.

    Raises SealError when the backup is not whole or not this instance's, and BackupError while a broker runs here or
    when the disk does not take it; the instance is untouched then.
    """
    began_s = time.monotonic()
    if BrokerClient(places.broker_socket, timeout_s=5.0).alive():
        raise BackupError(
            f"{places.broker_socket}: a broker runs here and writes what would be replaced: stop it first"
            f" (`sanwang down` on a twin, `systemctl stop sanwang@{places.instance}.target` on a management host)"
        )
    if os.path.ismount(places.lib):
        raise BackupError(
            f"{places.lib}: found a mount point; expected a folder that can be renamed: run it on its host"
        )
    fresh = places.lib.with_name(f".{places.lib.name}.restoring")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True, mode=0o700)
        manifest = _read(path, key, fresh)
        if manifest.instance != places.instance:
            raise SealError(
                f"{path}: found a backup of instance {manifest.instance!r}; expected one of {places.instance!r}:"
                f" give --instance {manifest.instance}"
            )
        _prove(fresh, manifest, path)
        was, here = Path(manifest.folder), places.lib / COUNTY
        county = was if not own_county and _same(was, fresh / COUNTY) else here
        (fresh / "county").write_text(f"{county}\n")
        _note(fresh, manifest, path, who, why)
        before = _swap(places.lib, fresh)
    except OSError as error:
        raise BackupError(f"{places.lib}: the backup was not put back: {error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return PutBack(
        path=str(path),
        instance=places.instance,
        made_at=manifest.made_at,
        files=len(manifest.files),
        audit_entries=manifest.audit[0],
        county=str(county),
        before=str(before) if before else "",
        seconds=round(time.monotonic() - began_s, 2),
    )


def _read(path: Path, key: bytes, into: Path | None) -> Manifest:
    """The manifest, once every file was read and is as it says; unpacked below ``into`` when that is given."""
    try:
        with path.open("rb") as source:
            opener = Opener(source, key, str(path))
            with tarfile.open(fileobj=opener, mode="r|") as tar:
                first = tar.next()
                if first is None or first.name != MANIFEST or first.size > _MANIFEST_BYTES:
                    raise SealError(f"{path}: found no {MANIFEST} at its beginning; expected a backup of Sanwang")
                stream = tar.extractfile(first)
                assert stream is not None
                manifest = Manifest.parse(stream.read(), str(path))
                missing = dict(manifest.files)
                while (member := tar.next()) is not None:
                    wanted = missing.pop(member.name, None)
                    parts = PurePosixPath(member.name).parts
                    if wanted is None or not member.isreg() or ".." in parts or member.name.startswith("/"):
                        raise SealError(
                            f"{path}: found {member.name!r}, which its manifest does not name: take another"
                        )
                    if _unpack(tar, member, into, wanted.mode) != wanted.sha256:
                        raise SealError(f"{path}: {member.name} is not what the manifest says: take another")
                if missing:
                    raise SealError(f"{path}: found no {min(missing)}, which its manifest names: take another")
            opener.finish()
    except FileNotFoundError:
        raise SealError(f"{path}: found no such file; expected a backup that `sanwang backup create` made") from None
    except IsADirectoryError:
        raise SealError(f"{path}: found a folder; expected one backup in it") from None
    except (tarfile.TarError, EOFError) as error:
        raise SealError(f"{path}: found no archive inside the seal ({error}); expected a backup of Sanwang") from None
    return manifest


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path | None, mode: int) -> str:
    """The member's SHA-256; written below ``into`` on the way."""
    digest = hashlib.sha256()
    stream = tar.extractfile(member)
    assert stream is not None
    handle = None
    if into is not None:
        target = into / member.name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777)
    try:
        while piece := stream.read(1 << 20):
            digest.update(piece)
            if handle is not None:
                os.write(handle, piece)
        if handle is not None:
            os.fchmod(handle, mode & 0o777)
            os.fsync(handle)
    finally:
        if handle is not None:
            os.close(handle)
    return digest.hexdigest()


def _prove(fresh: Path, manifest: Manifest, path: Path) -> None:
    """Open everything once, where nothing of it is in use yet."""
    try:
        store = open_store(f"sqlite:///{fresh / STORE}")
        try:
            with store.reading() as session:
                chain = verify_chain(session, head=manifest.audit)
        finally:
            store.close()
    except (SQLAlchemyError, CommandError) as error:
        raise SealError(f"{path}: its store cannot be opened: {error}") from None
    if not chain.ok:
        raise SealError(f"{path}: its audit's chain does not hold: {chain.problems[0]}: take another")
    try:
        Vault(fresh / "identity").names()
    except VaultError as error:
        raise SealError(f"{path}: its vault does not open: {error}") from None
    try:
        load_model(fresh / COUNTY)
    except CountyErrors as errors:
        raise SealError(f"{path}: the county's files in it have errors:\n{errors}") from None
    _unbundle(fresh, manifest, path)


def _same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same county's files."""

    def files(folder: Path) -> dict[str, str]:
        return {file.relative_to(folder).as_posix(): fingerprint(file) for file in folder.glob("**/*.y*ml")}

    return one.is_dir() and files(one) == files(other)


def _unbundle(fresh: Path, manifest: Manifest, path: Path) -> None:
    if not manifest.configs:
        return
    bundle, repository = fresh / CONFIGS, fresh / "configs"
    command = ["git", "clone", "--quiet", "--bare", str(bundle), str(repository)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode or Archive(repository).head() != manifest.configs:
        raise SealError(f"{path}: its repository of configurations is not whole: {done.stderr.strip()[-300:]}")
    repository.chmod(0o700)
    bundle.unlink()


def _note(fresh: Path, manifest: Manifest, path: Path, who: str, why: str) -> None:
    store = open_store(f"sqlite:///{fresh / STORE}")
    try:
        with store.session() as session:
            detail = {"file": str(path), "sha256": fingerprint(path), "made_at": manifest.made_at}
            record(session, who, "restore.system", why, {**detail, "made_on": manifest.made_on})
    finally:
        store.close()


def _swap(lib: Path, fresh: Path) -> Path | None:
    """The new folder takes the place; what no backup holds (a twin's disks, measurements) moves over to it."""
    before = None
    if lib.exists():
        before = lib.with_name(f"{lib.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        lib.rename(before)
    try:
        fresh.rename(lib)
    except OSError:
        if before is not None:
            before.rename(lib)
        raise
    if before is not None:
        for name in ("hosts", "prometheus", "alertmanager"):
            if (before / name).exists():
                (before / name).rename(lib / name)
    return before
