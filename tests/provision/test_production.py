"""A county on real machines: a bare machine becomes a box, and the management host's units.

That machines come up from the offline bundle is seen by ``make bundle-test``, which takes minutes.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.hardware import HARDWARE
from inventory.load import load_model
from inventory.places import Places
from provision.environment import load_environment
from provision.render import render
from sanwang.commission import box_sheet, switch_sheet
from twin import appliance

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA bootstrap"


@functools.cache
def tool() -> ModuleType:
    """The installer as a module: it is one file without an ending."""
    loader = importlib.machinery.SourceFileLoader("sanwang_appliance", str(DEPLOY / "sanwang-appliance"))
    spec = importlib.util.spec_from_loader("sanwang_appliance", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk with Debian's units on it, and the sheet and table of c2-nms beside it."""
    sys.dont_write_bytecode = True
    units = tmp_path / "disk" / "lib" / "systemd" / "system"
    units.mkdir(parents=True)
    for unit in UNITS.iterdir():
        shutil.copy(unit, units)
    model = load_model("xiao")
    sheet = box_sheet(model, model.hosts[model.nms], KEY)
    (tmp_path / "sheet").write_text(json.dumps(sheet))
    rows = [f"{port} 52:54:00:00:00:{number:02x}" for number, port in enumerate(["stg0", *sheet["ports"]])]  # type: ignore[misc]
    (tmp_path / "table").write_text("# port card\n" + "\n".join(rows) + "\n")
    return tmp_path


def install(machine: Path) -> subprocess.CompletedProcess[str]:
    argv = [str(DEPLOY / "sanwang-appliance"), "install", str(machine / "sheet"), "--ports", str(machine / "table")]
    return subprocess.run([*argv, "--root", str(machine / "disk")], capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="writes as root does")
def test_a_bare_machine_becomes_what_the_twin_begins_with(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = install(machine)
    assert done.returncode == 0, done.stderr
    etc = machine / "disk" / "etc"
    monkeypatch.setattr(Places, "lib", machine)
    model = load_model("xiao")
    appliance.make_disk(Places("xiao"), model.hosts[model.nms], KEY)
    disk = machine / "hosts" / model.nms / "etc"
    same = ["hostname", "hosts", "resolv.conf", "sanwang/staging/sshd_config", "sanwang/staging/authorized_keys"]
    assert {name: (etc / name).read_text() for name in same} == {name: (disk / name).read_text() for name in same}
    for name in ("sanwang", "sanwang/staging", "sanwang/staging/ssh_host_ed25519_key"):
        assert stat.S_IMODE((etc / name).stat().st_mode) == stat.S_IMODE((disk / name).stat().st_mode)
    ours = (etc / "sanwang/sv/staging-sshd/run").read_text().splitlines()
    twins = (disk / "sanwang/sv/staging-sshd/run").read_text().splitlines()
    assert [line for line in ours if line not in twins] == [
        f"ip address replace {model.hosts[model.nms].staging} dev stg0",  # the twin's init does this
        "ip link set dev stg0 up",
    ]
    assert (etc / "systemd/network/10-sanwang-stg0.link").read_text() == (
        "[Match]\nPermanentMACAddress=52:54:00:00:00:00\n\n[Link]\nName=stg0\n"
    )
    enabled = {path.name for path in (etc / "systemd/system/multi-user.target.wants").iterdir()}
    assert enabled == {"sanwang-appliance.service", "sanwang-staging.service"}
    assert (etc / "systemd/system/frr.service").readlink() == Path("/dev/null")
    before = (etc / "sanwang/staging/ssh_host_ed25519_key").read_text()
    assert install(machine).returncode == 0  # again: the same, with the same key
    assert (etc / "sanwang/staging/ssh_host_ed25519_key").read_text() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="writes as root does")
@pytest.mark.parametrize(
    ("file", "find", "put", "said"),
    [
        ("sheet", '"staging"', '"stage"', "sheet: staging: found None, expected a str"),
        ("sheet", "/15", "", "expected ADDRESS/LENGTH"),
        ("sheet", "c2-nms", "../evil", "host: found '../evil', expected a name"),
        ("sheet", "ssh-ed25519 A", "ssh-rsa A", "bootstrap_key: expected one line"),
        ("sheet", "{", "", "expected what `sanwang commission sheet HOST` prints"),
        ("table", "52:54:00:00:00:01", "52:54:00:00:00:00", "table:3: 52:54:00:00:00:00 stands twice"),
        ("table", "52:54:00:00:00:01", "eth1", "expected PORT and a MAC address or a place"),
        ("table", "p6500", "p9", "table:3: p9: the box has no such port; its ports are"),
        ("table", "p6500", "# p6500", "table: p6500 is missing: which card is it?"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(machine: Path, file: str, find: str, put: str, said: str) -> None:
    text = (machine / file).read_text()
    assert find in text
    (machine / file).write_text(text.replace(find, put, 1))
    done = install(machine)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (machine / "disk" / "etc").exists()


@given(st.text(alphabet=st.sampled_from("stg0p12 \t\n#:-pcinow.af\x00é"), max_size=120))
def test_any_table_is_read_or_refused(text: str) -> None:
    found = tool()
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"sanwang-table-{os.getpid()}"
    path.write_text(text, encoding="utf-8")
    table: dict[str, str] = {}
    try:
        table = found.read_table(path, {"stg0", "p1"})
    except found.Wrong as wrong:
        said = str(wrong)
    finally:
        path.unlink()
    assert (set(table) == {"stg0", "p1"} and len(set(table.values())) == 2) or str(path) in said


def test_the_management_hosts_daemons_are_units_in_a_county_and_every_other_file_is_the_twins() -> None:
    model = load_model("xiao")
    twin = {file.path for file in render(model, model.nms, load_environment("twin"))}
    county = {file.path for file in render(model, model.nms, load_environment("production"))}
    gone = {path.split("/")[4] for path in twin - county}
    assert (gone, county - twin) == ({"broker", "collect", "serve", "prometheus", "alertmanager", "bus"}, set())
    units = {re.sub(r"sanwang-(\w+)@?\.service", r"\1", path.name) for path in UNITS.glob("*.service")}
    assert gone <= units
    for host in model.linux_appliances():
        if host.name != model.nms:
            paths = [
                {file.path for file in render(model, host.name, load_environment(name))}
                for name in ("twin", "production")
            ]
            assert paths[0] == paths[1]


def test_the_units_stand_up_to_systemds_own_reading(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    for unit in UNITS.iterdir():
        text = unit.read_text()
        text = re.sub(r"/opt/sanwang/\.venv/bin/python|/usr/bin/prometheus(-alertmanager)?", "/bin/true", text)
        (tmp_path / unit.name).write_text(text)
    argv = ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    )
    about = [line for line in done.stderr.splitlines() if "sanwang" in line]
    assert (about, done.returncode) == ([], 0)


def test_every_command_of_the_manual_is_run_when_the_bundle_is_tested() -> None:
    blocks = re.findall(r"^```sh$(.*?)^```$", (ROOT / "docs" / "production.md").read_text(), re.MULTILINE | re.DOTALL)
    shown = set(re.findall(r"\bsanwang [a-z-]+(?: [a-z-]+)?(?= |$)", "".join(blocks), re.MULTILINE))
    assert len(shown) > 12
    tested = re.sub(r'", "', " ", (ROOT / "scripts" / "bundle-test").read_text())
    assert sorted(command for command in shown if command not in tested) == []


@pytest.mark.parametrize("name", ["broker@", "collect@", "serve@", "prometheus", "alertmanager", "bus"])
def test_the_management_hosts_daemons_stand_in_sandboxes(name: str) -> None:
    text = (UNITS / f"sanwang-{name}.service").read_text()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "MemoryDenyWriteExecute=yes"):
        assert line in text.splitlines()
    assert re.search(r"^User=(sanwang|prometheus)$", text, re.MULTILINE)
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    argv = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(UNITS / f"sanwang-{name}.service")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:]  # exposure above 2.0 of 10


def test_the_kernels_own_tunnel_that_cannot_be_made_is_no_running_service(tmp_path: Path) -> None:
    """A kernel without WireGuard: the service ends, and its supervisor and `sanwang drift` say so."""
    model = load_model("xiao")
    (script,) = (
        file.text
        for file in render(model, "v01-cpe", load_environment("production"))
        if file.path.endswith("sv/wireguard/run")
    )
    line = next(line for line in script.splitlines() if line.startswith("exec ") and "type wireguard" in line)
    ip = tmp_path / "ip"
    for code, ends in ((2, True), (0, False)):
        ip.write_text(f"#!/bin/sh\n[ \"$*\" = 'link add wg0 type wireguard' ] && exit {code}\nexit 9\n")
        ip.chmod(0o755)
        (tmp_path / "sleep").write_text("#!/bin/sh\nexit 77\n")
        (tmp_path / "sleep").chmod(0o755)
        done = subprocess.run(["sh", "-c", line], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=20)
        assert done.returncode == (code if ends else 77)


def test_a_switchs_sheet_names_its_out_of_band_port_and_every_cable() -> None:
    model = load_model("xiao")
    for host in model.appliances():
        if not host.linux:
            sheet = switch_sheet(host, KEY)
            assert (sheet["address"], sheet["user"], sheet["bootstrap_key"]) == (str(host.staging), "admin", KEY)
            assert sheet["port"] == HARDWARE[host.platform].oob
            assert sheet["cables"].keys() == {port.label for port in host.ports}  # type: ignore[attr-defined]
