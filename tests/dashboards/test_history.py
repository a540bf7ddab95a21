"""Measurements kept for long by another database: what Prometheus is told really sends, the pages really read."""

from __future__ import annotations

import asyncio
import http.server
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.sources import Prometheus, SourceDown
from inventory.load import load_model
from inventory.metrics import Metrics
from provision.environment import load_environment
from provision.render.hosted import nms_files


def free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("w") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words)
        try:
            for _ in range(400):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(15)


class _Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b'sanwang_link_bps{link="ring-c1-c2"} 42\n')

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(
    shutil.which("victoria-metrics") is None or shutil.which("prometheus") is None,
    reason="needs Debian's victoria-metrics and prometheus",
)
async def test_what_prometheus_sends_on_the_pages_read_there(tmp_path: Path) -> None:
    keeper, own = free_port(), free_port()
    there = f"http://127.0.0.1:{keeper}"
    model = replace(load_model("xiao"), metrics=Metrics(1, f"{there}/api/v1/write", there))
    files = {file.path: file.text for file in nms_files(model, model.hosts[model.nms], load_environment("twin"))}
    text = files["/etc/prometheus/prometheus.yml"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Target) as target:
        threading.Thread(target=target.serve_forever, daemon=True).start()
        config = tmp_path / "prometheus.yml"
        config.write_text(text.replace("127.0.0.1:9811", f"127.0.0.1:{target.server_port}").replace("15s", "1s"))
        kept = [
            "victoria-metrics",
            f"-storageDataPath={tmp_path}/vm",
            f"-httpListenAddr=127.0.0.1:{keeper}",
            "-search.latencyOffset=1s",
        ]
        ours = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path}/prom",
            f"--web.listen-address=127.0.0.1:{own}",
        ]
        with running(kept, keeper, tmp_path / "vm.log"), running(ours, own, tmp_path / "prom.log"):
            # The county's own Prometheus is not asked: what comes can only have come by way of the keeper.
            pages = Prometheus(f"http://127.0.0.1:{free_port()}", history=there)
            found: list[object] = []
            for _ in range(120):
                now = time.time()
                found = [dict(row["metric"]) for row in await pages.query_range("sanwang_link_bps", now - 60, now, 1)]
                if found:
                    break
                await asyncio.sleep(0.5)
            await pages.close()
        target.shutdown()
    assert found
    assert {"link": "ring-c1-c2", "county": "xiao"}.items() <= found[0].items()  # type: ignore[attr-defined]


async def test_a_keeper_that_is_away_leaves_the_county_s_own() -> None:
    pages = Prometheus(f"http://127.0.0.1:{free_port()}", history=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SourceDown, match="Prometheus"):
        await pages.query_range("up", 0, 60, 1)
    await pages.close()
