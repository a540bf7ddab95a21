"""Where devices answer and which backends they have: ``environments/<name>.yml``.

Nothing rendered from the model asks where it runs; all that differs between the twin and a county is said here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML

from inventory.places import CHECKOUT, Places

_FOLDER = Path(__file__).with_name("environments")


class EnvironmentProblem(ValueError):
    """An environment file is missing or wrong; the text names file, key, found, expected and the next step."""


class Environment(BaseModel):
    """One environment; every key is required so that none is forgotten."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    program: str
    """How ``sanwang`` is started on a host: a path, or ``checkout`` for this checkout with its own Python."""
    management: Literal["runit", "systemd"]
    """Who runs the management host's own daemons: its supervisor, or sandboxed units of the Debian package."""
    clock: Literal["shared", "own"]
    """Whether an appliance's clock is its own to set, or the machine's, which is left alone."""
    bfd_scale: int = Field(ge=1, le=20)
    """BFD intervals below 300 ms are this many times the model's: where two cores carry a whole county."""
    core_bfd_ms: int = Field(ge=3, le=1000)
    """BFD between the centres inside a VRF; slower than the underlay, which must have healed first."""
    ospf_hello_s: int = Field(ge=1, le=60)
    ospf_dead_s: int = Field(ge=2, le=240)
    wireguard: Literal["userspace", "kernel"]
    optics: Literal["budget", "module"]
    """Optical power: computed from the fibre's length, or read from the module."""

    def command(self, *arguments: str) -> list[str]:
        """The argv that starts one of our own processes on a host of this environment."""
        if self.program == "checkout":
            return [str(Path(sys.prefix) / "bin" / "python"), "-OO", "-m", "sanwang", *arguments]
        return [self.program, *arguments]

    @property
    def folder(self) -> str:
        """The folder in which our own processes start."""
        return str(CHECKOUT) if self.program == "checkout" else "/"

    @property
    def pages(self) -> str:
        """The folder of the built pages."""
        base = CHECKOUT if self.program == "checkout" else Path("/opt/sanwang")
        return str(base / "web" / "dist")

    @property
    def rules(self) -> str:
        """Where Prometheus finds the rules that are the same in every county; the county's own are rendered."""
        base = CHECKOUT / "dashboards" if self.program == "checkout" else Path("/opt/sanwang/dashboards")
        return str(base / "prometheus" / "*.yml")


def recorded(places: Places) -> str:
    """The environment that an instance stands in, as ``sanwang commission init`` wrote it down; else the twin."""
    try:
        return (places.lib / "environment").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return "twin"


def environment_path(name: str) -> Path:
    """The file of an environment."""
    return _FOLDER / f"{name}.yml"


def load_environment(name: str) -> Environment:
    """Read an environment; EnvironmentProblem with all that is wrong."""
    path = environment_path(name)
    try:
        written = YAML(typ="safe").load(path)
        return Environment.model_validate(written)
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in _FOLDER.glob("*.yml")))
        raise EnvironmentProblem(f"{path}: no such environment; expected one of {known}") from None
    except ValidationError as errors:
        lines = [f"{path}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in errors.errors()]
        raise EnvironmentProblem("\n".join(lines)) from None
