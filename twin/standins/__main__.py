"""Run stand-ins: ``python -m twin.standins --platform huawei_vrp8 --listen 127.0.0.1:0 ...``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import shlex
import signal
import sys
from pathlib import Path

import asyncssh

from twin.standins.access import OneUser
from twin.standins.device import Delays, Device, Settings
from twin.standins.platforms import PLATFORMS
from twin.standins.ports import PortDriver
from twin.standins.server import listen

EXAMPLE = """example:
  python -m twin.standins --platform huawei_vrp8 --listen 127.0.0.1:2201 --hostname b01-sw \\
      --user admin --authorized-keys keys.pub --host-key host.key --state b01-sw.json --port GE1/0/1=eth3

prints one JSON line when the devices answer: {"ports": [2201], "hostnames": ["b01-sw"], "host_key": "ssh-ed25519 ..."}
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = argparse.ArgumentParser(
        prog="python -m twin.standins",
        description="Stateful stand-ins of vendors' switches over SSH.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("--platform", required=True, choices=sorted(PLATFORMS))
    cli.add_argument("--listen", required=True, metavar="ADDRESS:PORT", help="port 0: any free one")
    cli.add_argument("--hostname", required=True, help="with --count, {n} is the number of the device")
    cli.add_argument("--user", default="admin")
    cli.add_argument("--authorized-keys", type=Path, metavar="FILE")
    cli.add_argument("--password-file", type=Path, metavar="FILE", help="first line: the user's password")
    cli.add_argument("--enable-password-file", type=Path, metavar="FILE", help="Ruijie and ZTE: start unprivileged")
    cli.add_argument("--host-key", type=Path, required=True, metavar="FILE", help="made if it is not there")
    cli.add_argument("--state", type=Path, metavar="FILE", help="what survives a power cut; with --count, {n} as above")
    cli.add_argument("--config", type=Path, metavar="FILE", help="startup configuration, if there is no state yet")
    cli.add_argument("--vtys", type=int, default=5)
    cli.add_argument("--count", type=int, default=1, help="that many devices on consecutive ports")
    cli.add_argument("--ports", default="", metavar="LIST", help="ports of the device: 'GE1/0/1-8;10GE1/0/1-2'")
    cli.add_argument("--port", action="append", default=[], metavar="NAME=LINK", help="a port moves a Linux interface")
    cli.add_argument("--port-hook", default="", metavar="COMMAND", help="called with port's name and up or down")
    cli.add_argument("--delays", type=Path, metavar="FILE", help="JSON: seconds by beginning of a line, login, line")
    for name in ("commit", "save", "line", "login"):
        cli.add_argument(f"--delay-{name}", type=float, metavar="SECONDS")
    cli.add_argument("--second", type=float, default=1.0, metavar="SECONDS", help="length of a second of the timers")
    cli.add_argument(
        "--trial-ends-with-session",
        action="store_true",
        help="VRP8: a trial without persistence id is rolled back as soon as its session ends",
    )
    return cli


def bad(message: str) -> SystemExit:
    """Bad input: exit code 2."""
    print(f"standins: {message}", file=sys.stderr)
    return SystemExit(2)


def read_delays(options: argparse.Namespace) -> Delays:
    table: dict[str, float] = {}
    if options.delays is not None:
        try:
            table = {str(key): float(value) for key, value in json.loads(options.delays.read_text()).items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise bad(f"{options.delays}: expected a JSON object of seconds: {error}") from error
    for name in ("commit", "save", "line", "login"):
        value = getattr(options, f"delay_{name}")
        if value is not None:
            table["saving" if name == "save" else name] = value
    return Delays(table)


def read_secret(path: Path | None) -> str | None:
    return None if path is None else path.read_text().split("\n")[0]


async def run(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    address, _, first = options.listen.rpartition(":")
    if not address or not first.isdecimal():
        raise bad(f"--listen {options.listen}: expected ADDRESS:PORT")
    if options.authorized_keys is None and options.password_file is None:
        raise bad("give --authorized-keys or --password-file: nobody could log in")
    links = dict(item.partition("=")[::2] for item in options.port)
    if not all(links.values()):
        raise bad(f"--port {' '.join(options.port)}: expected NAME=LINK")
    if not options.host_key.exists():
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(options.host_key)
        options.host_key.chmod(0o600)
    access = OneUser(
        options.user,
        read_secret(options.password_file),
        asyncssh.read_authorized_keys(str(options.authorized_keys)) if options.authorized_keys else None,
    )
    dialect, session = PLATFORMS[options.platform]
    delays = read_delays(options)
    ports: list[int] = []
    names: list[str] = []
    servers: list[asyncssh.SSHAcceptor] = []
    for index in range(options.count):
        name = numbered(options.hostname, index, options.count)
        settings = Settings(
            hostname=name,
            user=options.user,
            enable_password=read_secret(options.enable_password_file),
            state=Path(numbered(str(options.state), index, options.count)) if options.state else None,
            vtys=options.vtys,
            ports=options.ports,
            second_s=options.second,
            trial_ends_with_session=options.trial_ends_with_session,
        )
        driver = PortDriver(dict(links), tuple(shlex.split(options.port_hook)))
        config = options.config.read_text() if options.config else ""
        device = Device(dialect, settings, driver=driver, delays=delays, config=config)
        await device.power_on()
        port = int(first) + index if int(first) else 0
        servers.append(await listen(device, session, access, address, port, options.host_key))
        ports.append(servers[-1].get_port())
        names.append(name)
    public = asyncssh.read_private_key(str(options.host_key)).export_public_key().decode().strip()
    print(json.dumps({"ports": ports, "hostnames": names, "host_key": public}), flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    for server in servers:
        server.close()


def numbered(text: str, index: int, count: int) -> str:
    """A name for one of several devices."""
    if count > 1 and "{n}" not in text:
        text += "-{n}"
    return text.replace("{n}", str(index + 1))


def main() -> int:
    """Exit codes: 0 stopped, 2 bad input, 3 the machine refuses (a port is taken)."""
    options = parser().parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        asyncio.run(run(options))
    except (ValueError, asyncssh.KeyImportError, FileNotFoundError) as error:
        raise bad(str(error)) from error
    except OSError as error:
        print(f"standins: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
