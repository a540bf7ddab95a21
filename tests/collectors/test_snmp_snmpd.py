"""The engine and net-snmp's snmpd on loopback: pysnmp reads the same, in v2c and every v3 that both speak."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collectors.snmp import ber
from collectors.snmp.linux import Linux
from collectors.snmp.poller import Poller, Target
from collectors.snmp.session import Port, Session, SnmpError
from collectors.snmp.usm import Auth, Community, Keys, Priv, User, stretched

SNMPD = shutil.which("snmpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
WORDS = "authentication-key", "privacy-key-1234"
NAMES = {auth: f"SHA-{auth.name[3:]}" if auth is not Auth.SHA1 else "SHA" for auth in Auth}  # as snmpd calls them
USERS = {auth: User(f"u-{auth.name.lower()}", *WORDS, auth, Priv.AES128) for auth in NAMES}
STEADY = ("1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.7.0")
COLUMNS = ("1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.3", "1.3.6.1.2.1.2.2.1.7", "1.3.6.1.2.1.31.1.1.1.15")

needs_snmpd = pytest.mark.skipif(SNMPD is None, reason="Debian's snmpd is not installed")


class Snmpd:
    """A daemon that can be restarted, with its memory of engine boots or without."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        users = [f'createUser {u.name} {NAMES[a]} "{WORDS[0]}" AES "{WORDS[1]}"' for a, u in USERS.items()]
        rights = [f"rouser {user.name} authPriv" for user in USERS.values()]
        lines = [f"agentAddress udp:127.0.0.1:{self.port}", "rocommunity public", "sysServices 78", *users, *rights, ""]
        (folder / "snmpd.conf").write_text("\n".join(lines))

    def start(self) -> None:
        """Up, and answering."""
        (self.folder / "memory").mkdir(exist_ok=True)
        environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": str(self.folder / "memory")}
        command = [str(SNMPD), "-f", "-LOw", "-C", "-c", str(self.folder / "snmpd.conf"), "-I", "-smux"]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        question = ber.tlv(ber.SEQUENCE, b"\x02\x01\x01\x04\x06public" + ber.pdu(ber.GET, 1, [ber.oid(STEADY[0])]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            for _ in range(100):
                with contextlib.suppress(OSError):
                    probe.sendto(question, ("127.0.0.1", self.port))
                    probe.recv(4096)
                    return
                time.sleep(0.05)
        raise AssertionError("snmpd does not answer")

    def stop(self, *, forget: bool = False) -> None:
        """Down; ``forget``: and its disk is new."""
        if self.process is not None:
            self.process.terminate()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poke:
                while self.process.poll() is None:  # it looks at the signal when something arrives
                    poke.sendto(b"", ("127.0.0.1", self.port))
                    time.sleep(0.02)
        if forget:
            shutil.rmtree(self.folder / "memory", ignore_errors=True)


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snmpd]:
    daemon = Snmpd(tmp_path_factory.mktemp("snmpd"))
    daemon.start()
    yield daemon
    daemon.stop()


async def table(session: Session) -> dict[str, ber.Value]:
    """Everything these tests compare."""
    found = {f"{column}.{index}": value for column in COLUMNS for index, value in (await session.walk(column)).items()}
    return found | await session.get(STEADY)


async def by_pysnmp(who: Any, port: int, oids: list[str]) -> dict[str, Any]:
    """The same objects, as pysnmp reads them."""
    from pysnmp.hlapi.v3arch import asyncio as pysnmp

    engine = pysnmp.SnmpEngine()
    target = await pysnmp.UdpTransportTarget.create(("127.0.0.1", port))
    found: dict[str, Any] = {}
    for start in range(0, len(oids), 20):
        names = [pysnmp.ObjectType(pysnmp.ObjectIdentity(oid)) for oid in oids[start : start + 20]]
        about = engine, who, target, pysnmp.ContextData()
        problem, status, _, rows = await pysnmp.get_cmd(*about, *names, lookupMib=False)
        assert not problem, problem
        assert not status
        found |= {str(oid): value for oid, value in rows}
    engine.close_dispatcher()
    return found


def plain(value: Any) -> ber.Value:
    """pysnmp's value as one of ours."""
    from pyasn1.type import univ  # type: ignore[import-untyped]

    if isinstance(value, univ.Integer):
        return int(value)
    return str(value) if isinstance(value, univ.ObjectIdentifier) else bytes(value)


@needs_snmpd
@pytest.mark.parametrize("auth", [None, *NAMES])
async def test_what_pysnmp_reads_is_what_we_read(snmpd: Snmpd, auth: Auth | None) -> None:
    from pysnmp.hlapi.v3arch import asyncio as pysnmp

    hashes = {
        Auth.SHA1: pysnmp.usmHMACSHAAuthProtocol,
        Auth.SHA224: pysnmp.usmHMAC128SHA224AuthProtocol,
        Auth.SHA256: pysnmp.usmHMAC192SHA256AuthProtocol,
        Auth.SHA384: pysnmp.usmHMAC256SHA384AuthProtocol,
        Auth.SHA512: pysnmp.usmHMAC384SHA512AuthProtocol,
    }
    their_who: Any = pysnmp.CommunityData("public")
    if auth is not None:
        their_who = pysnmp.UsmUserData(
            USERS[auth].name, *WORDS, authProtocol=hashes[auth], privProtocol=pysnmp.usmAesCfb128Protocol
        )
    port = Port()
    session = port.session("127.0.0.1", Community("public") if auth is None else USERS[auth], snmpd.port)
    ours = await table(session)
    theirs = await by_pysnmp(their_who, snmpd.port, list(ours))
    assert ours == {oid: plain(value) for oid, value in theirs.items()}
    assert len(ours) > 6
    port.close()


@needs_snmpd
@pytest.mark.parametrize("forget", [False, True], ids=["restarted", "replaced"])
async def test_a_daemon_that_comes_back_is_understood(snmpd: Snmpd, forget: bool) -> None:
    users = USERS[Auth.SHA256], USERS[Auth.SHA512]
    targets = [Target(user.name, "127.0.0.1", Linux(frozenset({"lo"})), user, snmpd.port) for user in users]
    pollers = [Poller([target], {}, lambda answering: None) for target in targets]
    for poller, target in zip(pollers, targets, strict=True):
        await poller.turn(target)
        assert target.error == ""
    for _ in range(2):  # boots go up each time, or a new engine begins at one
        snmpd.stop(forget=forget)
        snmpd.start()
        for poller, target in zip(pollers, targets, strict=True):
            await poller.turn(target)
            assert target.error == ""
            assert target.result is not None
            assert target.result.values[0] == pytest.approx(0, abs=3000)  # hundredths of a second since it is back
    for poller in pollers:
        poller.close()


@needs_snmpd
@pytest.mark.parametrize(
    ("user", "says"),
    [
        (User("nobody", *WORDS), "does not know the user"),
        (User("u-sha256", "another-phrase", WORDS[1]), "finds the MAC wrong"),
    ],
)
async def test_wrong_keys_are_told_as_such(snmpd: Snmpd, user: User, says: str) -> None:
    port = Port()
    with pytest.raises(SnmpError, match=says):
        await port.session("127.0.0.1", user, snmpd.port).get(STEADY)
    port.close()


def test_keys_are_rfc_3414s() -> None:
    engine = bytes.fromhex("000000000000000000000002")
    assert stretched(b"maplesyrup", "sha1").hex() == "9fb5cc0381497b3793528939ff788d5d79145211"  # appendix A.3.2
    keys = Keys(User("u", "maplesyrup", "maplesyrup", Auth.SHA1, Priv.AES128), engine)
    assert keys._cipher.key.hex() == "6695febc9288e36282235fc7151f1284"


@pytest.mark.parametrize("auth", list(NAMES))
@pytest.mark.parametrize("priv", [Priv.AES256, Priv.AES256_REEDER])
def test_stretched_keys_are_pysnmps(auth: Auth, priv: Priv) -> None:
    from pyasn1.type import univ
    from pysnmp.proto.secmod.eso.priv import aes256
    from pysnmp.proto.secmod.rfc3414.auth import hmacsha
    from pysnmp.proto.secmod.rfc7860.auth import hmacsha2

    sha2 = {made().name: oid for oid, made in hmacsha2.HmacSha2.HASH_ALGORITHM.items()}
    protocol = hmacsha.HmacSha.SERVICE_ID if auth is Auth.SHA1 else sha2[auth.value[0]]
    theirs = (aes256.AesBlumenthal256 if priv is Priv.AES256 else aes256.Aes256)()
    engine = bytes.fromhex("80001f8880aabbccdd00112233")
    master = theirs.hash_passphrase(protocol, WORDS[1].encode())
    keys = Keys(User("u", *WORDS, auth, priv), engine)
    assert keys._cipher.key == bytes(theirs.localize_key(protocol, master, univ.OctetString(engine)))
