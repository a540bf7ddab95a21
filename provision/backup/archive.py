"""A git repository of configurations, written with ``git fast-import`` and read with plain git.

One folder per device: its files at their own paths below ``files/``, and ``state.json`` (modes and SHA-256 of what lies
on the device).  Texts hold placeholders or masks where the device holds secrets.  Nothing is ever checked out: the
repository is bare, and any git reads it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from inventory.places import Places

_BRANCH = "refs/heads/main"
_TIMEOUT_S = 60.0
_FIELD, _RECORD = "\x1f", "\x1e"
_COMMIT = re.compile(r"[0-9a-f]{4,64}")


class ArchiveError(Exception):
    """The repository cannot be read or written; says what git said."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a device; ``sha256`` is of the text on the device, secrets and all."""

    text: str
    mode: str  # "0644"
    sha256: str
    group: str = ""  # the part of the device that loads it; "" where it is not known


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One device at one time; ``drift``: how its running state differs from its files, per part."""

    files: Mapping[str, Kept]
    drift: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """One commit."""

    commit: str
    at: str  # UTC, ISO 8601
    who: str
    what: str
    why: str
    hosts: tuple[str, ...]


def place(places: Places) -> Path:
    """Where an instance's repository lies."""
    return places.lib / "configs"


class Archive:
    """The repository; made at the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(
        self, snapshots: Mapping[str, Snapshot], *, who: str, what: str, why: str, at: datetime | None = None
    ) -> str:
        """Commit the devices that changed; their other files are gone from it.  The commit, "" when nothing did.

        Raises ArchiveError.
        """
        if not (self.folder / "HEAD").exists():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.folder))
            self.folder.chmod(0o700)
        fresh = {host: _tree(snapshot) for host, snapshot in snapshots.items()}
        changed = {host: tree for host, tree in fresh.items() if self._state(host) != tree["state.json"]}
        if not changed:
            return ""
        seconds = int((at or datetime.now(UTC)).timestamp())
        person = f"{_plain(who) or 'unknown'} <{_plain(who) or 'unknown'}@sanwang.internal> {seconds} +0000"
        message = f"{what}: {', '.join(sorted(changed))}\n\n{why}\n"
        stream = [f"commit {_BRANCH}\nauthor {person}\ncommitter {person}\n", _data(message)]
        if self.head():
            stream.append(f"from {_BRANCH}^0\n")
        for host, tree in changed.items():
            stream.append(f"D {host}\n")
            stream += [f"M 100644 inline {_quoted(f'{host}/{path}')}\n{_data(text)}" for path, text in tree.items()]
        self._git("fast-import", "--quiet", "--date-format=raw", "--done", data="".join([*stream, "\ndone\n"]))
        return self.head()

    def head(self) -> str:
        """The newest commit, "" before the first."""
        try:
            return self._git("rev-parse", "--verify", "--quiet", _BRANCH).strip()
        except ArchiveError:
            return ""

    def version(self, commit: str) -> Version | None:
        """A commit by its name or the beginning of it; None when there is none, or more than one."""
        if not _COMMIT.fullmatch(commit):
            return None
        try:
            found = self._git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").strip()
        except ArchiveError:
            return None
        return next(iter(self._log(found, "", 1)), None)

    def history(self, host: str = "", *, last: int = 20) -> list[Version]:
        """The newest commits, newest first; of one device when ``host`` is given."""
        if not self.head():
            return []
        return self._log(_BRANCH, host, last)

    def _log(self, start: str, host: str, last: int) -> list[Version]:
        marks = _FIELD.join(("%H", "%at", "%an", "%s", "%b"))
        text = self._git(
            "log", f"--max-count={last}", f"--format={marks}{_RECORD}", start, "--", *([host] if host else [])
        )
        versions = []
        for record in text.split(_RECORD):
            parts = record.strip("\n").split(_FIELD)
            if len(parts) != 5:
                continue
            commit, seconds, who, subject, why = parts
            what, _, hosts = subject.partition(": ")
            moment = datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
            versions.append(Version(commit, moment, who, what, why.strip(), tuple(hosts.split(", "))))
        return versions

    def snapshot(self, host: str, commit: str = "") -> Snapshot | None:
        """A device as it was at a commit (default: the newest); None when it was not there.  Raises ArchiveError."""
        state = self._state(host, commit)
        if not state:
            return None
        document = json.loads(state)
        names = "".join(f"{commit or _BRANCH}:{host}/files{path}\n" for path in document["files"])
        texts = _blobs(self._git_bytes("cat-file", "--batch", data=names.encode()))
        files = {
            path: Kept(text, each["mode"], each["sha256"], each.get("group", ""))
            for (path, each), text in zip(document["files"].items(), texts, strict=True)
        }
        return Snapshot(files, document["drift"])

    def state(self, host: str) -> dict[str, dict[str, str]]:
        """Mode and SHA-256 of every file of a device, {} when it was never kept."""
        text = self._state(host)
        files: dict[str, dict[str, str]] = json.loads(text)["files"] if text else {}
        return files

    def difference(self, host: str, commit: str) -> str:
        """What a commit changed on a device, as a unified diff of its files."""
        return self._git("show", "--format=", "--no-color", commit, "--", f"{host}/files")

    def _state(self, host: str, commit: str = "") -> str:
        try:
            return self._git("cat-file", "blob", f"{commit or _BRANCH}:{host}/state.json")
        except ArchiveError:
            return ""

    def _git(self, *arguments: str, data: str | None = None) -> str:
        return self._git_bytes(*arguments, data=None if data is None else data.encode()).decode(errors="replace")

    def _git_bytes(self, *arguments: str, data: bytes | None) -> bytes:
        # Nobody's own git settings or hooks take part.
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        try:
            done = subprocess.run(
                ["git", "--git-dir", str(self.folder), *arguments],
                input=data,
                stdin=subprocess.DEVNULL if data is None else None,
                capture_output=True,
                env=environment,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ArchiveError(f"{self.folder}: git {arguments[0]}: {error}") from error
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip()[-500:]
            raise ArchiveError(f"{self.folder}: git {arguments[0]}: {words or f'exit code {done.returncode}'}")
        return done.stdout


def _blobs(answer: bytes) -> list[str]:
    """The texts in what ``git cat-file --batch`` says: a line with name, kind and size, then the text, each."""
    texts = []
    while answer:
        head, _, rest = answer.partition(b"\n")
        words = head.split()
        if words[-1] == b"missing":
            raise ArchiveError(f"git cat-file: {head.decode(errors='replace')}")
        size = int(words[-1])
        texts.append(rest[:size].decode(errors="replace"))
        answer = rest[size + 1 :]
    return texts


def _tree(snapshot: Snapshot) -> dict[str, str]:
    """The device's folder: path -> text."""
    files = {
        path: {"mode": kept.mode, "sha256": kept.sha256} | ({"group": kept.group} if kept.group else {})
        for path, kept in sorted(snapshot.files.items())
    }
    document = {"files": files, "drift": {part: list(lines) for part, lines in sorted(snapshot.drift.items())}}
    tree = {f"files{path}": kept.text for path, kept in sorted(snapshot.files.items())}
    return {"state.json": json.dumps(document, indent=1, sort_keys=True) + "\n", **tree}


def _quoted(path: str) -> str:
    """A path as fast-import reads it."""
    return json.dumps(path, ensure_ascii=False)


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def _plain(name: str) -> str:
    """A name that cannot end git's line of a person."""
    return "".join(each for each in name if each not in "<>\n\r").strip()


def document(version: Version) -> dict[str, object]:
    """For ``--json``."""
    return asdict(version)
