"""``sanwang relay``: one media worker.

Lean on purpose: argparse and the engine, no web framework, because it runs on its own appliance.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vconf import lines
from vconf.lines import Identity

_EXAMPLE = """\
example:
  sanwang relay --config /etc/sanwang/relay.json
  sanwang relay --config /etc/sanwang/relay.json --status          (what the running one does, and its pipes to others)
  sanwang relay --media 127.0.0.1:3478 --unix /tmp/relay.sock      (without TLS, for trials on one machine)

the configuration is one JSON object:
  {"name": "c1-relay", "media": "10.8.1.5:3478", "control": "10.32.1.5:9820",
   "certificate": "/etc/sanwang/tls/host.crt", "key": "/etc/sanwang/tls/host.key", "ca": "/etc/sanwang/tls/ca.crt",
   "clients": ["c2-nms.sanwang.internal"]}"""

_MISSING, _BAD = 3, 2
_ANSWER_S = 5


class _Wrong(Exception):
    """Bad input; the text says what and where."""


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sanwang relay",
        description="One media worker: one UDP port, one core.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, help="JSON file; options on the command line override it")
    parser.add_argument("--name", help="host name of this relay")
    parser.add_argument("--media", help="ADDRESS:PORT for media (UDP); browsers are told exactly this")
    parser.add_argument("--control", help="ADDRESS:PORT for the control channel (mutual TLS)")
    parser.add_argument("--certificate", type=Path, help="our certificate, PEM")
    parser.add_argument("--key", type=Path, help="its key, PEM")
    parser.add_argument("--ca", type=Path, help="the county's root, PEM")
    parser.add_argument("--clients", nargs="+", help="names in certificates that may drive this relay")
    parser.add_argument("--unix", type=Path, help="control channel on a unix socket instead, without TLS")
    parser.add_argument("--coalesce-ms", type=float, default=None, help="wait this long to batch packets (0 to 5)")
    parser.add_argument(
        "--engine",
        choices=["auto", "c", "python"],
        default=None,
        help="data plane: c where it was built, else python (auto)",
    )
    parser.add_argument(
        "--workers", type=int, default=None, help="processes, one a core, on this UDP port and the next"
    )
    parser.add_argument("--child", type=int, default=None, help="end when this process, which started us, has")
    parser.add_argument("--status", action="store_true", default=None, help="ask the one that runs here, and end")
    parser.add_argument("--json", action="store_true", default=None, help="with --status: one JSON document")
    return parser.parse_args(argv)


def _settings(options: argparse.Namespace) -> dict[str, object]:
    settings: dict[str, object] = {"name": "relay", "coalesce_ms": 1.0, "engine": "auto", "workers": 1}
    if options.config is not None:
        try:
            read = json.loads(options.config.read_text())
        except OSError as error:
            raise _Wrong(f"{options.config}: {error.strerror}") from None
        except ValueError as error:
            raise _Wrong(f"{options.config}: not JSON: {error}") from None
        if not isinstance(read, dict):
            raise _Wrong(f"{options.config}: expected an object")
        settings |= read
    settings |= {key: value for key, value in vars(options).items() if value is not None and key != "config"}
    if settings.get("status") and "unix" in settings:
        return settings
    wanted = ["media"] if "unix" in settings else ["media", "control", "certificate", "key", "ca", "clients"]
    missing = [key for key in wanted if not settings.get(key)]
    if missing:
        raise _Wrong(f"missing {', '.join(missing)}: give them in --config or as options")
    return settings


def _address(settings: dict[str, object], key: str) -> tuple[str, int]:
    host, _, port = str(settings[key]).rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise _Wrong(f"{key}: found {settings[key]!r}, expected ADDRESS:PORT")
    return host, int(port)


def _number(settings: dict[str, object], key: str) -> int:
    value = settings[key]
    if not isinstance(value, int) or not 1 <= value <= 64:
        raise _Wrong(f"{key}: found {value!r}, expected 1 to 64")
    return value


def _own_name(settings: dict[str, object]) -> str:
    """In our certificate."""
    return f"{settings['name']}.sanwang.internal"


def _identity(settings: dict[str, object]) -> Identity:
    return Identity(*(Path(str(settings[key])) for key in ("certificate", "key", "ca")))


async def _status(settings: dict[str, object]) -> int:
    """Print what the relay that runs here answers."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            if "unix" in settings:
                reader, writer = await asyncio.open_unix_connection(str(settings["unix"]), limit=lines.LINE_BYTES)
            else:
                address, context = _address(settings, "control"), _identity(settings).client()
                reader, writer = await asyncio.open_connection(
                    *address, ssl=context, server_hostname=_own_name(settings), limit=lines.LINE_BYTES
                )
            lines.write(writer, {"id": 1, "method": "status"})
            answer = await lines.read(reader) or {}
            writer.close()
    except (OSError, TimeoutError, lines.LineError) as error:
        problem = str(error) or "no answer"
        print(f"sanwang relay: {problem}; next step: look at its log, or start it", file=sys.stderr)
        return _MISSING
    found = answer.get("result")
    if not isinstance(found, dict):
        print("sanwang relay: the relay refused; next step: see clients in its configuration", file=sys.stderr)
        return _MISSING
    for line in [json.dumps(found)] if settings.get("json") else _shown(found):
        print(line)
    return 0


def _shown(found: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"relay {found['name']}: engine {found['engine']}, up {found['up_s']:.0f} s"
    rooms, peers, came, went = (found[key] for key in ("rooms", "peers", "packets_in", "packets_out"))
    yield f"  {rooms} rooms, {peers} peers, {came} packets in, {went} out"
    for neighbour, pipe in sorted(found["pipes"].items()):
        yield f"  pipe to {neighbour}: {pipe['state']}"
        for way, lost in (("in", f"{pipe['lost_in']} lost"), ("out", f"{pipe['lost_out_percent']} % lost")):
            streams, packets, bps = (pipe[f"{key}_{way}"] for key in ("streams", "packets", "bps"))
            yield f"    {way:<4}{streams} streams, {packets} packets, {lost}, {bps / 1e6:.1f} Mbit/s"


async def _orphaned(stop: asyncio.Event, parent: int) -> None:
    """Wait for the end, ours or that of the process that started us."""
    while not stop.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)
    stop.set()


async def _run(settings: dict[str, object]) -> int:
    from vconf.media import planes
    from vconf.media.engine import Engine
    from vconf.relay_server import RelayServer
    from vconf.workers import Workers

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        made = planes.choose(str(settings["engine"]))
        engine: Engine | Workers
        if settings["workers"] == 1:
            engine = Engine(
                _address(settings, "media"), coalesce_ms=float(str(settings["coalesce_ms"])), make_plane=made
            )
            kind = f"engine {engine.plane.name}"
        else:
            options = ["--coalesce-ms", str(settings["coalesce_ms"]), "--engine", str(settings["engine"])]
            engine = Workers(_address(settings, "media"), _number(settings, "workers"), options)
            await engine.run()
            kind = f"{settings['workers']} workers"
    except TimeoutError:
        print("sanwang relay: a worker did not start: its own message is above", file=sys.stderr)
        return _MISSING
    except planes.NoEngine as error:
        print(f"sanwang relay: {error}", file=sys.stderr)
        return _MISSING
    except OSError as error:
        print(f"sanwang relay: media {settings['media']}: {error.strerror}", file=sys.stderr)
        return _MISSING
    clients = settings.get("clients")
    names = frozenset({*clients, _own_name(settings)}) if isinstance(clients, list) else None  # own: for --status
    server = RelayServer(engine, str(settings["name"]), names)
    try:
        if "unix" in settings:
            await server.listen_unix(Path(str(settings["unix"])))
        else:
            await server.listen(_address(settings, "control"), _identity(settings))
        name, media = settings["name"], settings["media"]
        print(f"relay {name}: media {media}, {kind}, ready", flush=True)
        gc.collect()
        gc.freeze()  # what was imported is never looked at again, and packets come and go without cycles
        gc.set_threshold(50_000, 20, 100)
        if settings.get("child"):
            await _orphaned(stop, int(str(settings["child"])))
        await stop.wait()
    except OSError as error:  # ssl.SSLError is one: a missing or broken certificate
        print(f"sanwang relay: control: {error}", file=sys.stderr)
        return _MISSING
    finally:
        await server.close()
        await engine.close()
    return 0


def main(argv: list[str]) -> int:
    """Run until told to stop; 0 after SIGTERM, 2 for bad input, 3 when an address or file is missing."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    options = _arguments(argv)
    try:
        settings = _settings(options)
        return asyncio.run(_status(settings) if settings.get("status") else _run(settings))
    except _Wrong as error:
        print(f"sanwang relay: {error}", file=sys.stderr)
        return _BAD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
