"""The county as the broker knows it: model and rendered files, read again whenever a file of it changed."""

from __future__ import annotations

import difflib
import threading
import traceback
from pathlib import Path

import jinja2

from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.model import Host, NetworkModel
from inventory.places import Places
from provision.broker.wire import BrokerError
from provision.environment import Environment, EnvironmentProblem, environment_path, load_environment
from provision.render import ConfigFile, render

_Signature = tuple[tuple[str, int, int], ...]


def county_folder(places: Places) -> Path:
    """The folder that this instance was started from; BrokerError when none is recorded."""
    record = places.lib / "county"
    try:
        return Path(record.read_text().strip())
    except FileNotFoundError:
        raise BrokerError(
            "county", f"{record} is missing: it names the county's folder and is written by `sanwang up`"
        ) from None


class County:
    """Model and environment of one instance.  Safe to use from several threads."""

    def __init__(self, folder: Path, environment: str = "twin") -> None:
        self.folder = folder
        self.environment_name = environment
        self._lock = threading.Lock()
        self._signature: _Signature = ()
        self._model: NetworkModel | None = None
        self._environment: Environment | None = None
        self._rendered: dict[tuple[str, frozenset[str] | None], tuple[ConfigFile, ...]] = {}

    @property
    def model(self) -> NetworkModel:
        """The model of the files as they are now; BrokerError of kind ``county`` with all their errors."""
        self.refresh()
        assert self._model is not None
        return self._model

    @property
    def environment(self) -> Environment:
        """Where devices answer, as whom, and which backends they use."""
        self.refresh()
        assert self._environment is not None
        return self._environment

    @property
    def user(self) -> str:
        """The account that the broker logs in with."""
        return "root"

    def refresh(self) -> bool:
        """Read the county again if one of its files changed; True when it did."""
        with self._lock:
            signature = self._look()
            if signature == self._signature:
                return False
            try:
                self._model = load_model(self.folder)
                self._environment = load_environment(self.environment_name)
            except CountyErrors as errors:
                raise BrokerError("county", f"the county's files have errors:\n{errors}") from None
            except EnvironmentProblem as problem:
                raise BrokerError("county", str(problem)) from None
            self._rendered.clear()
            self._signature = signature
            return True

    def _look(self) -> _Signature:
        files = sorted(self.folder.glob("**/*.y*ml"))
        if not files:
            raise BrokerError("county", f"{self.folder} holds no county: expected its *.yml files there")
        files.append(environment_path(self.environment_name))
        return tuple((str(file), found.st_mtime_ns, found.st_size) for file in files for found in (file.stat(),))

    def host(self, name: str) -> Host:
        """An appliance by name; BrokerError with the nearest names otherwise."""
        model = self.model
        host = model.hosts.get(name)
        if host is not None and host.appliance:
            return host
        known = [each.name for each in model.appliances()]
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        what = "is not ours to provision" if host is not None else "is not a host of the county"
        raise BrokerError("request", f"{name!r} {what}{hint}")

    def files(self, name: str, networks: frozenset[str] | None = None) -> tuple[ConfigFile, ...]:
        """The host's files as they should be, with placeholders; rendered once per state of the county."""
        self.host(name)
        with self._lock:
            key = (name, networks)
            if key not in self._rendered:
                assert self._model is not None
                assert self._environment is not None
                try:
                    self._rendered[key] = render(self._model, name, self._environment, networks=networks)
                except jinja2.TemplateError as error:
                    words = f"{name}: {_place(error)}: {error}: correct the template, or give it that value"
                    raise BrokerError("county", words) from None
            return self._rendered[key]


def _place(error: jinja2.TemplateError) -> str:
    """Which template, and which line of it."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    rows = [row for row in traceback.extract_tb(error.__traceback__) if row.filename.endswith(".j2")]
    return f"{rows[-1].filename}:{rows[-1].lineno}" if rows else "a template"
