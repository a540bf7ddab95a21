"""What a newcomer meets first: the command line, the set-up script, the lock, the papers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from sanwang.cli import run_app
from sanwang.main import COMMANDS, help_text, main

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


# ---- the command line ----


def test_help_shows_every_command_on_one_line_and_imports_none() -> None:
    script = (
        "import sys\nfrom sanwang.main import main\nassert main(['--help']) == 0\n"
        "print([name for name in sys.modules if name.startswith('sanwang.') and name != 'sanwang.main'])\n"
        "print('typer' in sys.modules, 'importlib.metadata' in sys.modules)"
    )
    done = run(sys.executable, "-c", script)
    *text, ours, heavy = done.stdout.splitlines()
    assert (ours, heavy) == ("[]", "False False")
    shown = [line.split()[0] for line in text if line.startswith("  ") and not line.startswith("  sanwang")]
    assert shown == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_takes_its_arguments_and_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    entry = getattr(import_module(module), attribute)
    assert len(signature(entry).parameters) == 1
    try:
        code = entry(["--help"])
    except SystemExit as leave:  # argparse leaves by itself
        code = leave.code or 0
    text = capsys.readouterr().out
    assert code == 0
    assert f"sanwang {name}" in text
    assert "example" in text.lower(), f"sanwang {name} --help shows no example"


def test_an_unknown_command_is_bad_input_and_the_nearest_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stauts"]) == 2
    assert "Did you mean 'sanwang status'?" in capsys.readouterr().err
    assert main(["zzzzzz"]) == 2
    assert "Did you mean" not in capsys.readouterr().err
    assert main([]) == 2
    assert capsys.readouterr().out.strip() == help_text()


def test_interrupt_gives_130_after_the_commands_own_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = []

    def interrupted(argv: list[str]) -> int:
        try:
            raise KeyboardInterrupt
        finally:
            cleaned.append(argv)

    monkeypatch.setattr("sanwang.status.main", interrupted)
    assert main(["status", "--json"]) == 130
    assert cleaned == [["--json"]]


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = run("bash", "-c", f"set -o pipefail; {sys.executable} -m sanwang --help | head -1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_typer_application_gives_exit_codes() -> None:
    import typer

    app = typer.Typer()

    @app.command()
    def check(code: int) -> int:
        return code

    @app.command()
    def leave(code: int) -> None:
        raise typer.Exit(code)

    assert run_app(app, ["check", "1"], "sanwang x") == 1
    assert run_app(app, ["check", "0"], "sanwang x") == 0
    assert run_app(app, ["leave", "3"], "sanwang x") == 3
    assert run_app(app, ["check", "many"], "sanwang x") == 2
    assert run_app(app, ["nothing"], "sanwang x") == 2


@pytest.mark.parametrize("name", ["agent", "relay"])
def test_lean_services_load_little(name: str) -> None:
    """The agent runs on every appliance, dozens of times on one machine of the twin."""
    module = COMMANDS[name].target.partition(":")[0]
    script = f"import sys, {module}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = set(run(sys.executable, "-c", script).stdout.split())
    assert module.split(".")[0] in loaded
    heavy = {"typer", "rich", "sqlalchemy", "alembic", "pydantic", "fastapi", "ansible_runner", "netmiko", "scapy"}
    assert loaded & heavy == set()


@pytest.mark.parametrize(
    ("person", "code", "said"),
    [("zhao", 0, "/ops/#token="), ("nobody", 2, "expected one of"), ("chair-only", 0, "/ops/#token=")],
)
def test_a_link_to_the_operations_page_is_for_people_of_the_county(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    person: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr("inventory.places.Places.lib", tmp_path)
    county = tmp_path / "county-files"
    shutil.copytree(ROOT / "inventory" / "counties" / "shili", county)
    people = county / "people.yml"
    people.write_text(people.read_text() + "  chair-only: {zh: 会务, en: Clerk, roles: [chair]}\n")
    (tmp_path / "county").write_text(f"{county}\n")
    (tmp_path / "identity").mkdir()
    assert main(["ops-link", "--as", person]) == code
    heard = capsys.readouterr()
    assert said in heard.out + heard.err


# ---- the set-up script, in a checkout of its own with a package manager of its own ----


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with the script, a list of packages, and stand-ins for what would change this machine."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "scripts" / "setup").write_text((ROOT / "scripts" / "setup").read_text())
    (tmp_path / "scripts" / "debian-packages.txt").write_text("# why\nfrr\nsnmpd\n")
    (tmp_path / "dpkg").write_text("snmpd\n")
    tool(tmp_path, "id", "echo 0")
    tool(tmp_path, "unshare", "exit 0")
    tool(tmp_path, "systemctl", "exit 0")
    tool(tmp_path, "dpkg-query", f"sed 's/^/installed /' {tmp_path}/dpkg")
    tool(tmp_path, "dpkg", "exit 0")
    tool(
        tmp_path,
        "apt-get",
        f'case "$*" in *simulate*) exit 0;; *install*) ;; *) exit 0;; esac\n'
        f"{tmp_path}/policy-rc.d snmpd start; echo $? > {tmp_path}/asked\n"
        f"[ ! -e {tmp_path}/no-network ] || exit 100\n"
        f'echo "$*" >> {tmp_path}/installed; echo frr >> {tmp_path}/dpkg',
    )
    return tmp_path


def tool(machine: Path, name: str, script: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def setup(machine: Path, mode: str = "packages") -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{machine}/bin:{os.environ['PATH']}",
        "POLICY_RC_D": str(machine / "policy-rc.d"),
    }
    command = ["bash", str(machine / "scripts" / "setup"), mode]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_only_missing_packages_are_installed_and_the_second_time_nothing(machine: Path) -> None:
    done = setup(machine)
    assert done.returncode == 0, done.stderr
    assert "missing: frr" in done.stdout
    assert (machine / "installed").read_text().splitlines()[0].endswith(" frr")
    again = setup(machine)
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"])
def test_no_daemon_starts_meanwhile_and_the_machines_policy_is_as_before(
    machine: Path, before: str | None, fails: bool
) -> None:
    policy = machine / "policy-rc.d"
    if before is not None:
        policy.write_text(before)
        policy.chmod(0o700)
    if fails:
        (machine / "no-network").touch()
    assert (setup(machine).returncode == 0) is not fails
    assert (machine / "asked").read_text() == "101\n"  # what invoke-rc.d would have been told
    if before is None:
        assert not policy.exists()
    else:
        assert (policy.read_text(), policy.stat().st_mode & 0o777) == (before, 0o700)
    assert [path.name for path in machine.glob("policy-rc.d*")] == ([] if before is None else ["policy-rc.d"])


def test_a_set_up_that_was_killed_is_mended_by_the_next(machine: Path) -> None:
    (machine / "policy-rc.d").write_text("#!/bin/sh\n# temporary, by sanwang scripts/setup\nexit 101\n")
    (machine / "policy-rc.d.kept-by-sanwang").write_text("the machine's own\n")
    (machine / "dpkg").write_text("frr\nsnmpd\n")
    assert setup(machine).returncode == 0
    assert (machine / "policy-rc.d").read_text() == "the machine's own\n"


def test_a_machine_of_the_county_is_made_from_a_bundle_alone_and_nothing_starts_meanwhile(machine: Path) -> None:
    done = setup(machine, "machine")
    assert done.returncode == 3
    assert "no unpacked bundle" in done.stderr
    (machine / "bundle").mkdir()
    done = setup(machine, "machine")
    assert done.returncode == 0, done.stderr
    asked = (machine / "installed").read_text().splitlines()[-1]
    assert asked.endswith("install --reinstall --allow-downgrades sanwang")
    assert f"Dir::Etc::SourceList={machine}/.make/bundle.list" in asked
    assert (machine / ".make" / "bundle.list").read_text() == f"deb [trusted=yes] file:{machine}/bundle ./\n"
    assert (machine / "asked").read_text() == "101\n"
    assert not (machine / "policy-rc.d").exists()


def test_everything_that_the_machine_lacks_is_told_at_once_with_exit_code_3(machine: Path) -> None:
    tool(machine, "uname", "echo Darwin")
    tool(machine, "id", "echo 501")
    done = setup(machine)
    assert done.returncode == 3
    assert "Linux: this is Darwin" in done.stderr
    assert "root:" in done.stderr
    assert not (machine / ".make").exists()


def test_a_machine_without_namespaces_is_told(machine: Path) -> None:
    tool(machine, "unshare", "exit 1")
    done = setup(machine)
    assert done.returncode == 3
    assert "--privileged" in done.stderr


# ---- the lock and the papers ----


def required() -> list[str]:
    """Names of requirements.in."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.in").read_text().splitlines()]
    return [re.split(r"[<>=\[]", line)[0].lower().replace(".", "-") for line in lines if line]


def debian_packages() -> list[str]:
    lines = [
        line.partition("#")[0].strip() for line in (ROOT / "scripts" / "debian-packages.txt").read_text().split("\n")
    ]
    return [line for line in lines if line]


def npm_packages() -> list[str]:
    package = json.loads((ROOT / "web" / "package.json").read_text())
    return [*package.get("dependencies", {}), *package.get("devDependencies", {})]


def test_the_lock_holds_everything_hashed_and_names_no_registry() -> None:
    text = (ROOT / "requirements.txt").read_text()
    assert not re.search(r"^\s*(--(extra-)?index-url|--find-links|--trusted-host|-f |-i )", text, re.MULTILINE)
    assert "://" not in text
    pins = re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE)
    assert set(required()) <= set(pins)
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_pages_lock_names_no_registry() -> None:
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    assert packages
    assert [name for name, entry in packages.items() if "://" in entry.get("resolved", "")] == []


@pytest.mark.parametrize("kind", ["python", "debian", "npm"])
def test_every_dependency_has_its_reason_and_licence_in_the_manual(kind: str) -> None:
    names = {"python": required, "debian": debian_packages, "npm": npm_packages}[kind]()
    manual = (ROOT / "docs" / "dependencies.md").read_text().lower()
    rows = set(re.findall(r"^\| `([^`]+)` \|", manual, re.MULTILINE))
    assert sorted(set(map(str.lower, names)) - rows) == []


def test_every_room_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert set(project["tool"]["setuptools"]["packages"]) == rooms
    assert set(project["tool"]["mypy"]["files"]) >= rooms


def test_the_manuals_links_lead_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_both_readmes_have_the_same_parts() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    assert english.count("\n## ") == chinese.count("\n## ")
    commands = re.compile(r"(?:`|^)(make [a-z]+|sanwang [a-z-]+)", re.MULTILINE)
    assert set(commands.findall(english)) == set(commands.findall(chinese))
    assert {f"make {target}" for target in ("up", "down", "test")} <= set(commands.findall(english))


def test_every_command_that_the_manual_shows_exists() -> None:
    shown = {
        (page.name, name)
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        for name in re.findall(r"(?:^|`|\$ |\.venv/bin/)sanwang ([a-z][a-z-]*)", page.read_text(), re.MULTILINE)
    }
    assert sorted(pair for pair in shown if pair[1] not in COMMANDS) == []
