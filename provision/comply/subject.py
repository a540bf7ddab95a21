"""What is assessed: the county, its configurations, and what is known of the running instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from inventory.model import Host, NetworkModel
from provision.environment import Environment
from provision.render import ConfigFile, render


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of the county's authority."""

    name: str
    kind: str
    not_after: datetime
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account."""

    login: str
    granted: tuple[str, ...]  # roles handed out, in force
    second_factor: bool
    locked: bool
    used_at: datetime  # last sign-in, or when it was made


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running instance shows; None wherever nobody has looked, so that the check stays without an answer."""

    instance: str = ""
    certificates: tuple[Certificate, ...] | None = None
    audit_problems: tuple[str, ...] | None = None  # of the audit log's chain
    audit_entries: int = 0
    oldest_record: datetime | None = None  # of the audit log
    first_record: int = 0  # its number: more than 1 means that records were taken away
    backup_at: datetime | None = None  # last backup of running configurations
    backup_source: str = ""
    restore_rehearsed_at: datetime | None = None
    neighbours: Mapping[tuple[str, str], tuple[str, str]] | None = None  # LLDP: (host, port) -> (host, port)
    ports_up: Mapping[str, tuple[str, ...]] | None = None  # host -> physical ports with carrier
    accounts: tuple[Account, ...] | None = None  # people's
    key_modes: Mapping[str, int] | None = None  # private files of the controller -> their mode


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a configuration, with its place."""

    path: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.number}: {self.text.strip()}"


@dataclass(frozen=True, slots=True)
class Switch:
    """One vendor's device: its configuration as text."""

    name: str
    platform: str  # a name of provision.platforms
    path: str  # where the text is from, for the evidence
    text: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything a check may look at."""

    model: NetworkModel
    files: Mapping[str, tuple[ConfigFile, ...]]  # host -> its planned files
    facts: Facts = field(default_factory=Facts)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    switches: tuple[Switch, ...] = ()

    def hosts(self) -> Iterator[Host]:
        """Every Linux appliance that has configuration here, the controller's own host among them."""
        return (self.model.hosts[name] for name in self.files)

    def file(self, host: str, path: str) -> ConfigFile | None:
        """One planned file."""
        return next((file for file in self.files[host] if file.path == path), None)

    def rulesets(self, host: str) -> tuple[ConfigFile, ...]:
        """Every nftables ruleset of a host."""
        return tuple(file for file in self.files[host] if file.group in ("nft", "exit"))

    def lines(self, host: str, path: str, wanted: Callable[[str], bool]) -> list[Line]:
        """Lines of one file that ``wanted`` likes (comments left out)."""
        file = self.file(host, path)
        return [line for line in lines_of(file) if wanted(line.text.strip())] if file else []


def lines_of(file: ConfigFile) -> Iterator[Line]:
    """The lines of a file that are no comments."""
    for number, text in enumerate(file.text.splitlines(), 1):
        if text.strip() and not text.lstrip().startswith("#"):
            yield Line(file.path, number, text)


def planned(
    model: NetworkModel, environment: Environment, facts: Facts | None = None, switches: tuple[Switch, ...] = ()
) -> Subject:
    """The county as its playbooks would bring it about; ``switches`` stand beside its own, or in their place."""
    files = {host.name: render(model, host.name, environment) for host in model.linux_appliances()}
    given = {switch.name for switch in switches}
    own = (
        Switch(host.name, host.platform, f"{host.name}:{file.path}", file.text)
        for host in model.appliances()
        if not host.linux and host.name not in given
        for file in render(model, host.name, environment)
    )
    return Subject(model, files, facts or Facts(), switches=(*own, *switches))
