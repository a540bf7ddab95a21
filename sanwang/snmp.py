"""``sanwang snmp``: the normalised facts of a device, live or from a recorded walk."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.errors import CountyErrors, Place, Problem
from inventory.places import Places, current_instance
from sanwang.cli import run_app
from sanwang.main import INTERRUPTED
from sanwang.report import BAD_INPUT, FAILED, Lines, emit, guarded

if TYPE_CHECKING:
    from collectors.snmp.usm import Community, User
    from collectors.snmp.walk import Walk
    from inventory.model import NetworkModel

_MOST = 4096

app = typer.Typer(
    add_completion=False,
    help="What devices say over SNMP: system, ports, optics, processors, memory, neighbours, whoever made them."
    "\n\nExample: sanwang snmp facts --replay walk.snmprec --json",
)

Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]
_SHOWN = {
    "ports": ("index", "name", "alias", "speed_bps", "admin", "oper", "mac", "mtu"),
    "optics": ("port", "lane", "rx_dbm", "tx_dbm", "bias_ma", "temperature_c", "voltage_v", "model", "reason"),
    "processors": ("name", "usage_percent"),
    "memory": ("name", "used_percent", "total_bytes"),
    "temperatures": ("name", "celsius"),
    "fans": ("name", "state", "speed_rpm", "speed_percent"),
    "power_supplies": ("name", "state", "power_w", "voltage_v", "current_ma"),
    "neighbours": ("port", "system", "remote_port", "chassis", "management"),
    "bgp": ("address", "state", "remote_as", "established_s"),
    "ospf": ("address", "router_id", "state"),
    "pon_ports": ("port", "state", "onus"),
    "onus": ("port", "number", "name", "serial", "state", "rx_dbm", "distance_m"),
}
"""What a terminal has room for; --json has everything."""


Credentials = Annotated[
    Path | None,
    typer.Option(
        help="file with community:, or user:, auth: and priv: (chmod 600); default SANWANG_SNMP_CREDENTIALS, then the "
        "county's vault"
    ),
]
Instance = Annotated[str, typer.Option(help="which instance's county and vault; default SANWANG_INSTANCE, else shili")]


@app.command("facts")
def facts(
    host: Annotated[str, typer.Argument(metavar="[HOST]", help="a host of the county, or an address")] = "",
    replay: Annotated[Path | None, typer.Option(help="a recorded walk (snmprec: OID|type|value); no network")] = None,
    profile: Annotated[str, typer.Option(help="the vendor profile to read it by; default what matches")] = "",
    credentials: Credentials = None,
    instance: Instance = "",
    as_json: Json = False,
) -> int:
    """The normalised facts of one device: units are in the names, what is not known is null.

    Exit code 1 when the device does not answer, 2 when host, walk, profile or credentials are wrong.

    Examples: sanwang snmp facts --replay walk.snmprec --json; sanwang snmp facts b01-rt
    """
    return guarded(lambda: _facts(host, replay, profile, credentials, instance, as_json))


def _facts(host: str, replay: Path | None, name: str, credentials: Path | None, instance: str, as_json: bool) -> int:
    from collectors.snmp.profile import profiles
    from collectors.snmp.read import profile_of, read_facts
    from collectors.snmp.walk import BadWalk, read_walk

    if name and name not in profiles():
        print(f"sanwang snmp: no profile {name!r}; there are {', '.join(sorted(profiles()))}", file=sys.stderr)
        return BAD_INPUT
    if bool(host) == (replay is not None):
        print("sanwang snmp facts: either a HOST, or --replay FILE.snmprec", file=sys.stderr)
        return BAD_INPUT
    if replay is None:
        walk = _live(host, name, credentials, instance)
        if walk is None:
            return FAILED
    else:
        try:
            walk = read_walk(replay)
        except OSError as problem:
            print(f"sanwang snmp facts: {replay}: {problem.strerror or problem}; name a recorded walk", file=sys.stderr)
            return BAD_INPUT
        except BadWalk as problem:
            print(f"sanwang snmp facts: {problem}", file=sys.stderr)
            return BAD_INPUT
    document = read_facts(walk, profiles()[name] if name else profile_of(walk)).document()
    if as_json:
        emit(document)
    else:
        _print(document)
    return 0


def _live(host: str, name: str, credentials: Path | None, instance: str) -> Walk | None:
    """Everything its profile asks for, from the device itself; None when it does not answer, which is said."""
    from collectors.snmp.discover import Asker, NoAnswer, Refused, identify
    from collectors.snmp.profile import profiles

    here = _Here.of(instance)
    (address,) = here.addresses(host, 1)
    keys = here.credentials(credentials)
    progress = Lines()

    async def ask() -> Walk | None:
        asker = Asker()
        try:
            agent = await identify(asker, address, keys)
            if agent is None or agent.credential is None:
                raise NoAnswer(agent.refused if agent else "no answer")
            profile = profiles()[name] if name else agent.profile
            progress.note(f"{address} is {agent.name or 'nameless'}, profile {profile.name}")
            return await asker.walk(
                str(address), agent.credential, profile, lambda done, of: progress.step("columns", done, of)
            )
        except (NoAnswer, Refused) as problem:
            print(f"sanwang snmp: {address}: {problem}; is its agent on, and are these its keys?", file=sys.stderr)
            return None
        finally:
            asker.close()

    with here.network():
        return asyncio.run(ask())


@app.command("discover")
def discover_agents(
    where: Annotated[str, typer.Argument(metavar="CIDR|HOST", help="such as 10.32.0.0/24, or a host")],
    rate: Annotated[float, typer.Option(min=0.1, max=200, help="addresses asked in a second")] = 20.0,
    credentials: Credentials = None,
    instance: Instance = "",
    as_json: Json = False,
) -> int:
    """Find SNMP agents, name their makers, and say what the county's files do not know of.

    {"agents": [{"address", "name", "vendor", "system", "profile", "host", "refused"}], "unknown": [addresses],
    "silent": [hosts of the county in this range], "asked"}.  Exit code 1 when an agent is unknown to the county,
    130 after Ctrl-C.

    Example: sanwang snmp discover 10.32.2.0/24
    """
    return guarded(lambda: _discover(where, rate, credentials, instance, as_json))


def _discover(where: str, rate: float, credentials: Path | None, instance: str, as_json: bool) -> int:
    from collectors.snmp.discover import discover

    here = _Here.of(instance)
    addresses = here.addresses(where, _MOST)
    keys = here.credentials(credentials)
    progress = Lines()
    progress.stage(f"asking {len(addresses)} addresses, {rate:g} in a second")
    try:
        with here.network():
            agents = asyncio.run(
                discover(addresses, keys, rate, lambda done, _: progress.step("asked", done, len(addresses)))
            )
    except KeyboardInterrupt:
        print("\nsanwang snmp discover: stopped; nothing was changed", file=sys.stderr)
        return INTERRUPTED
    known = here.hosts
    rows = [
        {
            "address": str(agent.address),
            "name": agent.name,
            "vendor": agent.profile.vendor if agent.credential else "",
            "system": agent.profile.system if agent.credential else "",
            "profile": agent.profile.name if agent.credential else "",
            "host": known.get(agent.address, ""),
            "refused": agent.refused,
        }
        for agent in agents
    ]
    answered = {agent.address for agent in agents}
    unknown = [row["address"] for row in rows if not row["host"]] if known else []
    silent = sorted(known[address] for address in addresses if address in known and address not in answered)
    if as_json:
        emit({"agents": rows, "unknown": unknown, "silent": silent, "asked": len(addresses)})
    else:
        _table(rows)
        for row in rows if known else ():
            if not row["host"]:
                what = row["vendor"] or "refuses our keys"
                print(f"{row['address']} {row['name']} ({what}): not in the county's files")
        for host in silent:
            print(f"{host}: in the county's files, silent")
    return FAILED if unknown else 0


@dataclass(frozen=True, slots=True)
class _Here:
    """The county that is meant, if there is one on this machine."""

    places: Places
    model: NetworkModel | None

    @classmethod
    def of(cls, instance: str) -> _Here:
        """By its name; a machine without a county asks with a file of credentials."""
        from inventory.load import load_model

        try:
            places = Places(instance or current_instance())
        except ValueError as problem:
            raise _wrong("--instance", str(problem), "the name of an instance", "correct it") from None
        try:
            folder = Path((places.lib / "county").read_text(encoding="utf-8").strip())
        except OSError:
            return cls(places, None)
        return cls(places, load_model(folder))

    @property
    def hosts(self) -> dict[IPv4Address, str]:
        """Names by management address."""
        hosts = self.model.hosts.values() if self.model is not None else ()
        return {host.management: host.name for host in hosts if host.management is not None}

    def addresses(self, where: str, most: int) -> list[IPv4Address]:
        """Those of a prefix, an address, or a host of the county.

        Raises:
            CountyErrors: it is none of these, or too many.
        """
        named = self.model.hosts.get(where) if self.model is not None else None
        if named is not None and named.management is not None:
            return [named.management]
        try:
            network = IPv4Network(where, strict=False)
        except ValueError:
            expected = "an address, a prefix such as 10.32.2.0/24, or a host of the county"
            raise _wrong("HOST", repr(where), expected, "correct it") from None
        if network.num_addresses > most:
            raise _wrong("HOST", f"{network.num_addresses} addresses", f"at most {most}", "name a smaller prefix")
        return list(network.hosts())

    def credentials(self, path: Path | None) -> list[Community | User]:
        """From the file, else from the one that the environment names, else from the county's vault.

        Raises:
            CountyErrors: there are none.
        """
        from collectors.snmp.credentials import read_credentials
        from collectors.snmp.usm import Auth, User
        from identity.vault import Vault

        path = path or (Path(named) if (named := os.environ.get("SANWANG_SNMP_CREDENTIALS")) else None)
        if path is not None:
            return read_credentials(path)
        folder = self.places.lib / "identity"
        auth, priv = (Vault(folder).find(f"snmp/{kind}") if folder.exists() else "" for kind in ("auth", "priv"))
        if not auth or not priv:
            raise _wrong("--credentials", "no county's vault here", "keys of the devices", "name a file with them")
        # Vendors' switches know the same phrases with the hash that their platform has.
        return [User("sanwang", auth, priv, each) for each in (Auth.SHA256, Auth.SHA1)]

    def network(self) -> AbstractContextManager[None]:
        """The management host's own network, when the county is a twin on this machine."""
        from drills.lab import inside
        from twin.names import namespace

        path = Path("/run/netns") / namespace(self.places.instance, self.model.nms) if self.model else None
        return inside(path) if path is not None and path.exists() else nullcontext()


def _wrong(key: str, found: str, expected: str, advice: str) -> CountyErrors:
    return CountyErrors("arguments", [Problem(Place("sanwang snmp"), key, found, expected, advice)])


def _table(rows: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    columns = ("address", "name", "vendor", "system", "profile", "host", "refused")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    Console().print(table if rows else "nobody answered", markup=False)


def _print(document: dict[str, Any]) -> None:
    """Tables of what is there, without the columns that nobody has."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for name, value in document["system"].items():
        if value not in (None, ""):
            console.print(f"{name:12} {value}", markup=False, highlight=False, soft_wrap=True)
    for kind, names in _SHOWN.items():
        rows = document[kind]
        columns = [name for name in names if any(row[name] not in (None, "") for row in rows)]
        if not columns:
            continue
        table = Table(title=kind, title_justify="left")
        for name in columns:
            table.add_column(name)
        for row in rows:
            table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
        console.print(table, markup=False)


@app.command("compile")
def compile_names(
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit 1 when it is out of date")] = False,
) -> int:
    """Check every vendor profile, and write down what their names of MIB objects mean (after a profile was changed).

    Exit code 2 when a profile is wrong: every mistake with file, line and key.

    Example: sanwang snmp compile
    """
    return guarded(lambda: _compile(check))


def _compile(check: bool) -> int:
    from collectors.snmp.mibs import NAMES, compiled
    from collectors.snmp.profile import names, profiles

    text = compiled(names())
    old = NAMES.read_text(encoding="utf-8") if NAMES.exists() else ""
    if check and text != old:
        print(f"sanwang snmp: {NAMES.name} is not what the profiles name; run: sanwang snmp compile", file=sys.stderr)
        return FAILED
    if text != old:
        NAMES.write_text(text, encoding="utf-8")
    print(f"{len(profiles())} profiles, {len(names())} names of MIB objects")
    return 0


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang snmp")
