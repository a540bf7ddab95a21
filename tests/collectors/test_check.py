"""Hosted services are asked as their users ask: real daemons answer where Debian has small ones.

DNS: dnsmasq.  HTTPS: nginx.  SIP: a peer of a few lines here (a registrar is not worth installing for one OPTIONS).
"""

from __future__ import annotations

import datetime
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from collectors.check.ask import ask
from inventory.checks import service_checks
from inventory.load import load_model


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody has."""
    with socket.socket(socket.AF_INET, kind) as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


@contextmanager
def peer(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """A UDP peer that says ``answer(question)``; gives its port."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", 0))
    link.settimeout(5)

    def serve() -> None:
        try:
            question, source = link.recvfrom(65536)
            link.sendto(answer(question), source)
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    with closing(link):
        yield link.getsockname()[1]
        thread.join(6)


@contextmanager
def daemon(words: list[str], port: int) -> Iterator[None]:
    """A daemon in the foreground, once it listens (TCP)."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()


def certificate(folder: Path, days: float) -> float:
    """A self-signed certificate in ``host.crt`` and its key; gives its end in UNIX seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal.sanwang.internal")])
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    end = now + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=30)).not_valid_after(end).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "host.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "host.key").write_bytes(private)
    return end.timestamp()


@contextmanager
def nginx(folder: Path, status: int) -> Iterator[int]:
    """nginx with that certificate, all else as the county's servers have it; gives its port."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;\n"
        "events {}\nhttp { access_log off;\n"
        f"client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;"
        f" uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n"
        f"ssl_certificate {folder}/host.crt; ssl_certificate_key {folder}/host.key;\n"
        f"server {{ listen 127.0.0.1:{port} ssl; add_header X-Backend c1-srv always;"
        f" location / {{ return {status} 'hello'; }} }} }}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with daemon([program, "-c", str(folder / "nginx.conf")], port):
        yield port


def test_https_tells_who_answered_and_when_the_certificate_ends(tmp_path: Path) -> None:
    end = certificate(tmp_path, 10)
    with nginx(tmp_path, 200) as port:
        found = ask("https", "portal", "", "127.0.0.1", "127.0.0.1", port)
    assert found.up, found.words
    assert found.backend == "c1-srv"
    assert found.not_after == end
    assert 0 < found.seconds < 3


def test_an_ended_certificate_and_a_server_in_trouble_are_no_answer(tmp_path: Path) -> None:
    certificate(tmp_path, -1)
    with nginx(tmp_path, 200) as port:
        found = ask("https", "portal", "", "127.0.0.1", "127.0.0.1", port)
    assert (found.up, found.words) == (False, "its certificate has ended")
    certificate(tmp_path, 10)
    with nginx(tmp_path, 502) as port:
        found = ask("https", "portal", "", "127.0.0.1", "127.0.0.1", port)
    assert (found.up, found.words) == (False, "status 502")


def test_a_closed_port_is_told_as_such() -> None:
    found = ask("tcp", "portal", "", "127.0.0.1", "127.0.0.1", free_port())
    assert (found.up, found.words) == (False, "[Errno 111] Connection refused")


def test_something_else_behind_a_port_is_no_web_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as link:
                link.recv(1000)
                link.sendall(b"220 mail\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        found = ask("http", "portal", "", "127.0.0.1", "127.0.0.1", listener.getsockname()[1])
        thread.join()
    assert not found.up
    assert "expected HTTP/1.1" in found.words


def test_a_real_name_server_answers() -> None:
    program = shutil.which("dnsmasq")
    assert program, "dnsmasq-base is not installed: scripts/setup installs it"
    port = free_port()
    words = (
        f"{program} --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --port={port} --listen-address=127.0.0.1"
    )
    with daemon([*words.split(), "--bind-interfaces", "--auth-zone=.", "--auth-server=ns.,127.0.0.1"], port):
        found = ask("dns", "names", "", "127.0.0.1", "127.0.0.1", port)
    assert found.up, found.words


def test_answers_that_are_no_dns_are_refused() -> None:
    with peer(lambda question: b"\x00") as port:
        assert "no DNS message" in ask("dns", "names", "", "127.0.0.1", "127.0.0.1", port).words
    with peer(lambda question: question[:2] + bytes([0x81, 0x82]) + question[4:]) as port:
        assert ask("dns", "names", "", "127.0.0.1", "127.0.0.1", port).words == "SERVFAIL"


@pytest.mark.parametrize(
    ("line", "up"),
    [
        (b"SIP/2.0 200 OK", True),
        (b"SIP/2.0 404 Not Found", True),
        (b"SIP/2.0 503 Busy", False),
        (b"HTTP/1.1 200", False),
    ],
)
def test_sip_options(line: bytes, up: bool) -> None:
    def answer(question: bytes) -> bytes:
        assert question.startswith(b"OPTIONS sip:phones.sanwang.internal SIP/2.0\r\n")
        call = next(each for each in question.split(b"\r\n") if each.startswith(b"Call-ID:"))
        return line + b"\r\n" + call + b"\r\n\r\n"

    with peer(answer) as port:
        assert ask("sip", "phones", "", "127.0.0.1", "127.0.0.1", port).up is up


@pytest.mark.parametrize(
    ("first", "stratum", "up"), [(0x24, 2, True), (0xE4, 2, False), (0x24, 16, False), (0x23, 2, False)]
)
def test_time(first: int, stratum: int, up: bool) -> None:
    def answer(question: bytes) -> bytes:
        return struct.pack("!BB22x", first, stratum) + question[40:48] + bytes(16)

    with peer(answer) as port:
        assert ask("ntp", "time", "", "127.0.0.1", "127.0.0.1", port).up is up


def test_each_service_is_asked_from_another_centre_than_the_one_that_serves_it() -> None:
    model = load_model("shili")
    checks = {check.service: check for check in service_checks(model)}
    assert set(checks) == set(model.services) - {"media"}
    for name, check in checks.items():
        assert model.hosts[check.host].site != model.services[name].backends[0].centre
        assert check.kind == ("ntp" if name == "ntp" else "https")
