"""One question to one service, on a socket of its network: did it answer as it should, and how soon."""

from __future__ import annotations

import re
import secrets
import socket
import ssl
import struct
import time
from dataclasses import dataclass

from collectors.agent.certificates import not_after
from collectors.agent.vrf import open_socket

TIMEOUT_S = 3.0
_NTP_EPOCH_S = 2208988800
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_BACKEND = re.compile(rb"(?im)^x-backend: *([\w.-]{1,64})")
_LARGEST = 65536


class Unanswered(Exception):
    """It answered something else, or not in the words of its protocol."""


@dataclass(slots=True)
class Answer:
    """What a check found."""

    up: bool
    seconds: float
    words: str = ""  # why not
    backend: str = ""  # who answered, where the service says so
    not_after: float = 0.0  # UNIX seconds at which its certificate ends; 0 = it has none


def ask(kind: str, service: str, vrf: str, source: str, address: str, port: int) -> Answer:
    """Ask once; never raises for what the service does."""
    answer = Answer(False, 0.0)
    began = time.monotonic()
    try:
        with open_socket(vrf, socket.AF_INET, socket.SOCK_DGRAM if kind in _DATAGRAMS else socket.SOCK_STREAM) as link:
            link.settimeout(TIMEOUT_S)
            link.bind((source, 0))
            link.connect((address, port))
            (_DATAGRAMS | _STREAMS)[kind](link, service, answer)
        answer.up = True
    except (OSError, Unanswered, ssl.CertificateError) as problem:
        answer.words = str(problem) or type(problem).__name__
    answer.seconds = round(time.monotonic() - began, 4)
    return answer


def _http(link: socket.socket, service: str, answer: Answer) -> None:
    """GET /health: status below 500 (RFC 9110, section 15), and who answered."""
    link.sendall(f"GET /health HTTP/1.1\r\nHost: {service}.sanwang.internal\r\nConnection: close\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LARGEST:
        more = link.recv(4096)
        if not more:
            break
        head += more
    status = _STATUS.match(head)
    if status is None:
        raise Unanswered(f"found {head[:40]!r}, expected HTTP/1.1 and a status")
    if (backend := _BACKEND.search(head)) is not None:
        answer.backend = backend[1].decode()
    if int(status[1]) >= 500:
        raise Unanswered(f"status {int(status[1])}")


def _https(link: socket.socket, service: str, answer: Answer) -> None:
    """TLS first; the certificate's end is read, who issued it is the users' programs' to judge."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(link, server_hostname=f"{service}.sanwang.internal") as wrapped:
        der = wrapped.getpeercert(binary_form=True)
        if der:
            answer.not_after = not_after(ssl.DER_cert_to_PEM_cert(der).encode())
        _http(wrapped, service, answer)
    if answer.not_after and answer.not_after < time.time():
        raise Unanswered("its certificate has ended")


def _tcp(_link: socket.socket, _service: str, _answer: Answer) -> None:
    """That it was connected says all."""


def _dns(link: socket.socket, _service: str, _answer: Answer) -> None:
    """The root's name servers, which every resolver and server can say something of: any answer without SERVFAIL."""
    import dns.exception
    import dns.message
    import dns.rcode

    question = dns.message.make_query(".", "NS")
    link.send(question.to_wire())
    try:
        reply = dns.message.from_wire(link.recv(_LARGEST))
    except dns.exception.DNSException as problem:
        raise Unanswered(f"no DNS message: {problem}") from None
    if not question.is_response(reply):
        raise Unanswered("an answer to another question")
    if reply.rcode() == dns.rcode.SERVFAIL:
        raise Unanswered("SERVFAIL")


def _sip(link: socket.socket, service: str, _answer: Answer) -> None:
    """OPTIONS (RFC 3261, section 11): any final answer of its own below 500."""
    here, port = link.getsockname()[:2]
    host = f"{service}.sanwang.internal"
    call = secrets.token_hex(8)
    link.send(
        (
            f"OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP {here}:{port};rport;branch=z9hG4bK{call}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:check@{here}>;tag={call[:8]}\r\nTo: <sip:{host}>\r\n"
            f"Call-ID: {call}@{here}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:check@{here}:{port}>\r\n"
            "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"
        ).encode()
    )
    while True:
        reply = link.recv(_LARGEST)
        status = re.match(rb"SIP/2\.0 (\d{3})", reply)
        if status is None or call.encode() not in reply:
            raise Unanswered(f"found {reply[:40]!r}, expected SIP/2.0 and a status")
        if int(status[1]) >= 200:
            break
    if int(status[1]) >= 500:
        raise Unanswered(f"status {int(status[1])}")


def _ntp(link: socket.socket, _service: str, _answer: Answer) -> None:
    """A client's question (RFC 5905, section 7.3): an answer by a server that is itself in time."""
    now = time.time()
    sent = struct.pack("!II", int(now) + _NTP_EPOCH_S & 0xFFFFFFFF, int(now % 1 * 2**32))
    link.send(bytes([0x23]) + bytes(39) + sent)
    reply = link.recv(512)
    if len(reply) < 48 or reply[0] & 7 != 4 or reply[24:32] != sent:
        raise Unanswered("no answer of a time server to this question")
    if reply[0] >> 6 == 3 or not 0 < reply[1] < 16:
        raise Unanswered(f"not in time itself (stratum {reply[1]})")


_STREAMS = {"https": _https, "http": _http, "tcp": _tcp}
_DATAGRAMS = {"dns": _dns, "sip": _sip, "ntp": _ntp}
