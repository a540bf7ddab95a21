"""A session against a real sshd on the loopback: shell, exec channel, files, pinned keys, and what errors say."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
import pytest

from provision.broker.session import LOG_LIMIT_BYTES, Address, DeviceSession, SessionLog
from provision.broker.wire import BrokerError

pytestmark = pytest.mark.twin  # needs root: sshd gives a login as root


@dataclass
class Device:
    port: int
    key: Path
    pin: str
    folder: Path

    def login(self, *, key: Path | None = None, pin: str | None = None, port: int = 0) -> DeviceSession:
        private = paramiko.Ed25519Key.from_private_key_file(str(key or self.key))
        where = Address("x1-rt", "127.0.0.1", port or self.port, "root")
        return DeviceSession(where, private, self.pin if pin is None else pin, SessionLog(self.folder / "x1-rt.log"))


def _keygen(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    folder = tmp_path_factory.mktemp("sshd")
    pin = _keygen(folder / "host")
    (folder / "authorized").write_text(_keygen(folder / "client") + "\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"StrictModes no\nUsePAM no\nPidFile none\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield Device(port, folder / "client", pin, folder)
        process.terminate()


@pytest.fixture
def session(device: Device) -> Iterator[DeviceSession]:
    opened = device.login()
    yield opened
    opened.close()


def test_the_shell_gives_output_and_exit_code(session: DeviceSession) -> None:
    ran = session.shell("echo one; echo two >&2; (exit 7)")
    assert (ran.code, ran.out) == (7, "one\ntwo\n")
    assert session.shell("seq 1 2000").out.splitlines()[-1] == "2000"


def test_a_script_needs_no_terminal_and_reads_nothing_of_itself(session: DeviceSession) -> None:
    ran = session.script("echo 'one'; cat; echo two >&2; (exit 7)")
    assert (ran.code, ran.out, ran.err) == (7, "one\ntwo\n", "")


def test_an_exec_channel_takes_input_and_keeps_outputs_apart(session: DeviceSession) -> None:
    ran = session.run("cat; echo bad >&2; exit 3", "县".encode() * 100_000)
    assert (ran.code, len(ran.out), ran.err) == (3, 100_000, "bad\n")


def test_a_file_is_written_whole_with_its_mode(session: DeviceSession, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "it's.conf"
    session.put(str(path), b"x" * 100_000, 0o640)
    assert path.read_bytes() == b"x" * 100_000
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_host_without_frr_says_so_and_the_shell_goes_on(session: DeviceSession) -> None:
    with contextlib.suppress(BrokerError):  # this machine may well have FRR installed, but no daemon runs
        session.vtysh("show version")
    assert session.shell("echo still here").out == "still here\n"


@pytest.mark.parametrize("text", ["", "  ", "ls\nreboot", "a\x1b[A", "\x03"])
def test_a_command_is_one_line(session: DeviceSession, text: str) -> None:
    with pytest.raises(BrokerError, match="one line"):
        session.shell(text)


@pytest.mark.parametrize(
    ("login", "words"),
    [
        (lambda device: device.login(pin="ssh-ed25519 " + "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43), "another host key"),
        (lambda device: device.login(key=device.folder / "host"), "refuses the broker's key"),
        (lambda device: device.login(port=1), "does not answer"),
    ],
)
def test_what_an_engineer_reads_when_there_is_no_session(
    device: Device, login: Callable[[Device], DeviceSession], words: str
) -> None:
    with pytest.raises(BrokerError, match=words) as refused:
        login(device)
    assert refused.value.kind == "unreachable"
    assert "x1-rt" in refused.value.message


def test_a_broken_session_is_known_as_such(device: Device) -> None:
    opened = device.login()
    with pytest.raises(BrokerError, match="no answer to"):
        opened.shell("sleep 60", timeout_s=0.5)
    assert not opened.alive


def test_the_transcript_is_masked_and_bounded(session: DeviceSession, device: Device) -> None:
    session.shell("echo 'PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk='")
    log = device.folder / "x1-rt.log"
    assert "PrivateKey" in log.read_text()
    assert "yAnz5TF" not in log.read_text()
    for part in (
        "-----BEGIN OPENSSH PRI",
        "VATE KEY-----\nb3BlbnNzaC1r\n",
        "ZXktdjEAAAAA\n",
        "-----END OPENSSH PRIVATE KEY-----\nx\n",
    ):
        session.log.write(part.encode())
    assert "b3BlbnNzaC1r" not in log.read_text()
    assert "ZXktdjEAAAAA" not in log.read_text()
    assert log.read_text().endswith("x\n")
    writer = SessionLog(log)
    for _ in range(40):
        writer.write(b"y" * 10_000)
    kept = sum(path.stat().st_size for path in device.folder.glob("x1-rt.log*"))
    assert kept <= 2 * LOG_LIMIT_BYTES
