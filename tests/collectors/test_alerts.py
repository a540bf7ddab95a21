"""Calling people: once each, again when nobody acknowledges, over servers that are away, not in maintenance windows."""

from __future__ import annotations

import asyncio
import http.server
import json
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from collectors.alerts import calls, silences
from collectors.alerts.caller import Caller, mark
from collectors.alerts.channels import Message, NotSent, send
from collectors.alerts.deliver import TRIES, Counts, deliver, plan
from collectors.alerts.tables import DeliveryRow, end_window, open_window, windows
from collectors.desk.tables import NotificationRow
from collectors.events import Events
from collectors.faults.tables import FaultRow, acknowledge
from inventory.alerting import Address, Alerting, Call, MailServer, SmsGateway
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.workdays import Limit
from provision.environment import load_environment
from provision.render.hosted import nms_files
from store.engine import Store, open_store

START = datetime(2026, 11, 22, 2, tzinfo=UTC)
ALERTING = Alerting(
    calls={
        "critical": (
            Call(None, ("operator",)),
            Call(Limit("5m", 5, "m"), ("engineer",)),
            Call(Limit("1h", 1, "h"), ("leader", "zhao")),
        ),
        "warning": (Call(None, ("operator",)),),
    },
    by={"critical": ("mail", "sms"), "warning": ("mail",)},
    quiet=None,
    people={"zhao": Address("zhao@example.internal", "13900000001"), "wang": Address("wang@example.internal", "")},
    mail=MailServer("127.0.0.1", 25, "sanwang@example.internal", "", "none"),
    sms=SmsGateway("http://127.0.0.1:1/send", '{"to": "{number}", "say": "{text}", "key": "{secret}"}', "X-Token"),
    webhooks=(),
)


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return replace(load_model("shili"), alerting=ALERTING)


def alert(status: str = "firing", fault: int | None = 7, severity: str = "critical") -> dict[str, Any]:
    labels = {"alertname": "LinkDown", "severity": severity, "link": "ring-c1-c2"}
    return {
        "version": "4",
        "alerts": [
            {
                "status": status,
                "labels": labels | ({"fault": str(fault)} if fault else {}),
                "annotations": {"summary": "Link ring-c1-c2 is down", "summary_zh": "链路 ring-c1-c2 中断"},
                "startsAt": "2026-11-22T02:00:00.000Z",
                "fingerprint": "5ef77f1f8a3ecfe1",
            }
        ],
    }


def fault_row(number: int = 7, key: str = "link:ring-c1-c2") -> FaultRow:
    return FaultRow(
        id=number, key=key, kind="link-down", subject=key.partition(":")[2], site="c1", severity="critical",
        opened_at=START, cleared_at=None, detail={}, impact={}, acknowledged_by=None, acknowledged_at=None,
        acknowledged_why=None, window=None,
    )  # fmt: skip


def told(store: Store) -> list[tuple[str, str]]:
    with store.reading() as session:
        rows = session.scalars(select(NotificationRow).order_by(NotificationRow.at, NotificationRow.key)).all()
        return [(row.recipient, row.zh) for row in rows]


def take(store: Store, model: NetworkModel, payload: dict[str, Any], now: datetime = START) -> int:
    with store.session() as session:
        return calls.take(session, model, ALERTING, payload, now)


def escalate(store: Store, model: NetworkModel, now: datetime) -> int:
    with store.session() as session:
        return calls.escalate(session, model, ALERTING, now)


# Whom, and when.


def test_each_is_told_once_and_the_next_when_nobody_acknowledges(store: Store, model: NetworkModel) -> None:
    with store.session() as session:
        session.add(fault_row())
    assert take(store, model, alert()) == 2  # li and zhao are operators
    assert take(store, model, alert()) == 0  # told again by an Alertmanager that was started again
    assert escalate(store, model, START + timedelta(minutes=4)) == 0
    assert escalate(store, model, START + timedelta(minutes=6)) == 2  # wang and li are engineers
    assert escalate(store, model, START + timedelta(minutes=7)) == 0
    with store.session() as session:
        acknowledge(session, 7, "wang", "crew on its way")
    assert escalate(store, model, START + timedelta(hours=2)) == 0
    assert take(store, model, alert("resolved"), START + timedelta(hours=3)) == 3
    assert take(store, model, alert("resolved"), START + timedelta(hours=3)) == 0
    words = told(store)
    assert words[0] == ("li", "链路 ring-c1-c2 中断")
    assert ("wang", "链路 ring-c1-c2 中断(第 2 次呼叫,尚无人确认)") in words
    assert sorted(name for name, text in words if text.startswith("已恢复")) == ["li", "wang", "zhao"]


def test_a_fault_that_is_over_ends_the_call_though_nobody_said_so(store: Store, model: NetworkModel) -> None:
    with store.session() as session:
        row = fault_row()
        session.add(row)
    take(store, model, alert())
    with store.session() as session:
        session.get_one(FaultRow, 7).cleared_at = START + timedelta(minutes=1)
    assert escalate(store, model, START + timedelta(hours=5)) == 2
    assert escalate(store, model, START + timedelta(hours=6)) == 0


def test_what_nobody_can_acknowledge_calls_the_first_step_alone(store: Store, model: NetworkModel) -> None:
    assert take(store, model, alert(fault=None)) == 2
    assert escalate(store, model, START + timedelta(hours=5)) == 0


@pytest.mark.parametrize("payload", [{}, {"alerts": 3}, {"alerts": [3]}, {"alerts": [{"labels": {}}]}])
def test_what_is_no_payload_is_refused(store: Store, model: NetworkModel, payload: dict[str, Any]) -> None:
    with pytest.raises(calls.BadPayload):
        take(store, model, payload)


# The ways.


class Mailbox(socketserver.ThreadingTCPServer):
    """An SMTP server of the few commands that a sender needs (RFC 5321 section 4.1)."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.mails: list[str] = []
        self.refuse = False
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Smtp(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.mails.append(text.decode())
            elif word == b"RCPT" and self.server.refuse:
                self.wfile.write(b"451 later\r\n")
                continue
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as server:
        yield server
        server.shutdown()


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    got: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            got.append((self.headers["x-token"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/send", got
        server.shutdown()


def test_messages_go_by_the_person_s_ways_once(
    tmp_path: Path, model: NetworkModel, mailbox: Mailbox, gateway: tuple[str, list[tuple[str, str]]]
) -> None:
    url, messages = gateway
    alerting = replace(
        ALERTING,
        mail=replace(ALERTING.mail, port=mailbox.server_address[1]),  # type: ignore[type-var]
        sms=replace(ALERTING.sms, url=url),  # type: ignore[type-var]
    )
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    take(store, model, alert())
    now, counts = [START], Counts()

    def round_() -> list[tuple[str, str]]:
        with store.session() as session:
            plan(session, model, alerting, now[0])
        return deliver(store, alerting, lambda: now[0], lambda name: f"secret of {name}", counts)

    mailbox.refuse = True
    assert round_() == []
    assert (counts.sent, counts.failed) == (1, 1)  # the short message went out; li has no address at all
    assert round_() == []
    assert counts.failed == 1  # not at once again
    mailbox.refuse = False
    now[0] += timedelta(minutes=1)
    round_()
    round_()
    assert (counts.sent, counts.failed, len(mailbox.mails), len(messages)) == (2, 1, 1, 1)
    assert "To: zhao@example.internal" in mailbox.mails[0]
    token, body = messages[0]
    assert token == "secret of alerting/sms"
    assert json.loads(body) == {"to": "13900000001", "say": "链路 ring-c1-c2 中断", "key": token}
    with store.reading() as session:
        assert all(row.sent_at for row in session.scalars(select(NotificationRow)))
    store.close()


def test_a_way_that_never_works_is_given_up_and_said(tmp_path: Path, model: NetworkModel) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    take(store, model, alert(severity="warning"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        alerting = replace(
            ALERTING,
            mail=replace(ALERTING.mail, port=nobody.getsockname()[1]),  # type: ignore[type-var]
        )
        now, counts = START, Counts()
        with store.session() as session:
            plan(session, model, alerting, now)
        lost: list[tuple[str, str]] = []
        for _ in range(TRIES + 3):
            lost += deliver(store, alerting, lambda: now, lambda _: "", counts)  # noqa: B023
            now += timedelta(days=1)
    assert [name for name, _ in lost] == ["zhao"]
    assert (counts.failed, counts.given_up) == (TRIES, 1)
    with store.reading() as session:
        assert session.scalars(select(DeliveryRow)).one().attempts == TRIES
    store.close()


def test_an_alert_s_words_never_reach_for_the_secret(gateway: tuple[str, list[tuple[str, str]]]) -> None:
    url, messages = gateway
    alerting = replace(ALERTING, sms=replace(ALERTING.sms, url=url))  # type: ignore[type-var]
    words = Message("k", START, 'a {secret} "quoted" {number}', "x")
    send(alerting, "sms", "139", words, lambda _: "hush")
    assert json.loads(messages[0][1])["say"] == 'a {secret} "quoted" {number}'
    with pytest.raises(NotSent, match="not set up"):
        send(replace(alerting, mail=None), "mail", "a@b", words, lambda _: "")


# Windows, against the real Alertmanager with the configuration that is rendered for it.


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory, model: NetworkModel) -> Iterator[tuple[str, int]]:
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        pytest.skip("Alertmanager is not installed (Debian package prometheus-alertmanager)")
    folder = tmp_path_factory.mktemp("am")
    files = {
        file.path: file.text
        for file in nms_files(load_model("shili"), model.hosts[model.nms], load_environment("twin"))
        if file.path.endswith("alertmanager.yml")
    }
    config = folder / "alertmanager.yml"
    config.write_text(next(iter(files.values())))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield ("127.0.0.1", port)
    finally:
        process.terminate()
        process.wait(10)


def active(address: tuple[str, int]) -> list[tuple[str, str]]:
    connection = HTTPConnection(*address, timeout=60)
    connection.request("GET", "/api/v2/silences")
    found = json.loads(connection.getresponse().read())
    connection.close()
    return sorted(
        (each["matchers"][0]["name"], each["matchers"][0]["value"])
        for each in found
        if each["status"]["state"] != "expired"
    )


def test_a_window_silences_its_hosts_and_links_alone_and_until_it_ends(
    tmp_path: Path, model: NetworkModel, alertmanager: tuple[str, int]
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    now = datetime.now(UTC)
    with store.session() as session:
        row = open_window(
            session, hosts=["t01-rt"], links=["c1-t01", "c2-t01"], start=now - timedelta(seconds=1),
            end=now + timedelta(hours=2), who="wang", why="splicing",
        )  # fmt: skip
        number = row.id
        for each, key in enumerate(("link:c1-t01", "service:t01-rt/ospfd", "link:ring-c1-c2"), 1):
            fault = fault_row(each, key)
            fault.opened_at = now
            session.add(fault)
        mark(session, [row])
    with store.reading() as session:
        assert [row.window for row in session.scalars(select(FaultRow).order_by(FaultRow.id))] == [number, number, None]
        found = windows(session, now)
    wanted = [("host", "t01-rt"), ("link", "c1-t01|c2-t01")]
    assert silences.reconcile(found, now, alertmanager) == 2
    assert silences.reconcile(found, now, alertmanager) == 0
    assert active(alertmanager) == wanted
    caller = Caller(store, model, Events(), lambda _: "", alertmanager=alertmanager)
    with store.session() as session:  # the work takes longer
        session.merge(found[0]).end_at = now + timedelta(hours=3)
    caller._silence()
    assert active(alertmanager) == wanted
    with store.session() as session:
        end_window(session, number, datetime.now(UTC), "wang", "done")
    caller._silence()
    assert active(alertmanager) == []
    store.close()


async def test_alertmanager_away_and_back(tmp_path: Path, model: NetworkModel) -> None:
    """The parts of the caller go on by themselves, whatever is away."""
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    caller = Caller(store, model, Events(), lambda _: "", alertmanager=("127.0.0.1", 1))
    task = asyncio.create_task(caller.run())
    assert await caller.take(alert()) == 2
    await asyncio.sleep(0.2)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store.close()
