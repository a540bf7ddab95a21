"""One appliance in namespaces of its own, with the real device tool, a disk that survives its restart, and nftables.

No plant and no daemons: what the tool does to files, rulesets and time is all there is to see.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from inventory.load import load_model
from provision.environment import load_environment
from provision.render import render

TOOL = "/etc/sanwang/bin/device"
_INIT = """\
mount -t overlay -o "lowerdir=/etc,upperdir=$1/etc,workdir=$1/work" overlay /etc
mount --bind "$1/lib" /var/lib
mount -t tmpfs tmpfs /run && mkdir /run/netns
mount -t tmpfs tmpfs /usr/local/sbin
ip link set dev lo up
echo ready
exec python3 -c 'import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True: signal.pause()'
"""


def ruleset(comment: str) -> str:
    """A ruleset that may be told from another."""
    accept = f'iifname "lo" accept comment "{comment}";'
    chain = f" chain input {{ type filter hook input priority 0; policy drop; {accept} }}"
    return f"table inet county\ndelete table inet county\ntable inet county {{\n{chain}\n}}\n"


class Box:
    """The appliance; ``start`` gives it power, ``cut`` takes it."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        for name in ("etc", "work", "lib"):
            (disk / name).mkdir(parents=True)
        self._init: subprocess.Popen[bytes] | None = None
        self._begun: list[subprocess.Popen[str]] = []
        for path, (mode, text) in self.tool().items():
            file = disk / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(int(mode, 8))

    @staticmethod
    @functools.cache
    def tool() -> dict[str, tuple[str, str]]:
        """The tool's own files: path -> (mode, text)."""
        files = render(load_model("xiao"), "t01-rt", load_environment("twin"))
        return {file.path: (file.mode, file.text) for file in files if file.path.startswith("/etc/sanwang/bin/")}

    def start(self) -> None:
        """Power on; nothing of ours runs yet."""
        self._init = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"),
                *("sh", "-ec", _INIT, "sh", str(self.disk)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._init.stdout is not None
        assert self._init.stdout.readline() == b"ready\n"

    def cut(self) -> None:
        """Power off: every process is gone at once."""
        assert self._init is not None
        self._init.kill()
        self._init.wait()
        assert self._init.stdout is not None
        self._init.stdout.close()
        self._init = None
        while self._begun:
            self._begun.pop().wait()

    @property
    def pid(self) -> int:
        """Its init, as the machine sees it."""
        assert self._init is not None
        return int(Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()[0])

    def argv(self, *words: str) -> list[str]:
        """The command that runs inside."""
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-i", "--", *words]

    def run(self, *words: str, data: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        return subprocess.run(
            self.argv(*words), input=data, capture_output=True, text=True, check=False, timeout=60, cwd="/"
        )

    def begin(self, *words: str, data: str = "") -> subprocess.Popen[str]:
        """Run one without waiting, in a session of its own."""
        process = subprocess.Popen(
            self.argv(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            start_new_session=True,
        )
        self._begun.append(process)
        assert process.stdin is not None
        process.stdin.write(data)
        process.stdin.close()
        return process

    def device(self, *words: str, bundle: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call of the device tool and its answer."""
        done = self.run(TOOL, *words, data=json.dumps(bundle) if bundle else "")
        assert done.stdout.strip(), done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        assert done.returncode == (1 if answer.get("errors") else 0), done
        return answer

    def bundle(self, comment: str, **more: str) -> dict[str, Any]:
        """The tool, a ruleset, and further files of no part that runs."""
        files = [
            {"path": path, "mode": mode, "text": text, "group": "network"} for path, (mode, text) in self.tool().items()
        ]
        files.append({"path": "/etc/nftables.conf", "mode": "0600", "text": ruleset(comment), "group": "nft"})
        files += [
            {"path": f"/etc/sanwang/{name}", "mode": "0644", "text": text, "group": "sysctl"}
            for name, text in more.items()
        ]
        return {"files": files, "groups": None}

    def has(self) -> str:
        """The comment in the ruleset on the disk, if the one that runs has the same."""
        texts = self.run("cat", "/etc/nftables.conf").stdout, self.run("nft", "list", "ruleset").stdout
        found = [text.split('comment "')[1].split('"')[0] if 'comment "' in text else "" for text in texts]
        return found[0] if found[0] == found[1] else " / ".join(found)

    def boot(self) -> subprocess.Popen[str]:
        """What the machine's supervisor starts first; returns when the network is up."""
        process = self.begin(TOOL, "boot")
        end = time.monotonic() + 60
        while self.run("test", "-e", "/run/sanwang-network.ready").returncode:
            assert time.monotonic() < end, "the network did not come up"
            time.sleep(0.05)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """kill -9 of a call and all of its session, as an operator's mistake would do it."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
