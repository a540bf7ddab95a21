"""``sanwang adopt``: devices that run already, read and compared with the model; nothing on them is touched."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from provision.adopt.compare import Compared, compare
from provision.adopt.look import fingerprint, host_key, look
from provision.adopt.pins import Pins
from provision.adopt.taken import LARGEST, Taken, Unreadable, from_file
from provision.broker.session import Address, SessionLog
from provision.platforms.base import PatchError, names
from provision.vendor import Credentials, VendorError
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, FAILED, MISSING, ask_broker, emit, guarded

PASSWORD, ENABLE = "SANWANG_DEVICE_PASSWORD", "SANWANG_DEVICE_ENABLE"
SSH_PORT = 22

app = typer.Typer(add_completion=False)


class Unclear(ValueError):
    """Something on the command line that cannot be used; says what was found, what was expected, what to do."""


@app.command()
def adopt(
    what: Annotated[
        list[str],
        typer.Argument(metavar="HOST|FILE...", help="a host of the county, an address[:port], or saved outputs"),
    ],
    county: Annotated[str, typer.Option(help="a folder of *.yml, or a name under inventory/counties")] = "shili",
    address: Annotated[str, typer.Option(metavar="ADDRESS[:PORT]", help="where HOST answers today")] = "",
    as_host: Annotated[str, typer.Option("--as", metavar="HOST", help="the host of the county that it is")] = "",
    platform: Annotated[str, typer.Option(help=f"its command line: {', '.join(names())}")] = "",
    user: Annotated[str, typer.Option(help="account on the device")] = "admin",
    password_file: Annotated[Path | None, typer.Option(help=f"else {PASSWORD}, else asked on the terminal")] = None,
    enable_file: Annotated[Path | None, typer.Option(help=f"privileged mode's; else {ENABLE}, else none")] = None,
    accept: Annotated[str, typer.Option("--host-key", metavar="SHA256:...", help="the fingerprint you agree to")] = "",
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Read existing devices and show how they differ from the model; only commands that show are sent.

    A file holds a configuration or the log of a session with `display` or `show` commands. A host without --address is
    asked through the device broker, where it is enrolled. Exit code 0: as the model has it; 1: differences.

    example: sanwang adopt old-switch.txt --as b01-sw

    example: sanwang adopt b01-sw --address 192.0.2.7 --user admin
    """

    def action() -> int:
        model = load_model(county)
        if len(what) > 1 and (address or as_host):
            raise Unclear(f"found {len(what)} devices with --address or --as; expected one; adopt them one by one")
        for name in (as_host,):
            if name and name not in model.hosts:
                raise Unclear(
                    f"--as: found {name!r}; expected a host of {model.name}; `sanwang county show` lists them"
                )
        if platform and platform not in names():
            raise Unclear(f"--platform: found {platform!r}; expected one of {', '.join(names())}; correct it")
        documents = []
        for each in what:
            if not Path(each).is_file() and each in model.hosts and not address:
                documents.append(_enrolled(each, instance))
                continue
            taken, host = _taken(model, each, instance)
            compared = compare(model, taken, host)
            _print(compared)
            documents.append(compared.as_json())
        same = all(document["same"] for document in documents)
        if as_json:
            emit({"same": same, "devices": documents})
        return 0 if same else FAILED

    def _taken(model: NetworkModel, each: str, instance: str) -> tuple[Taken, str]:
        if Path(each).is_file():
            with Path(each).open("rb") as stream:
                return from_file(each, stream.read(LARGEST + 1), platform), as_host
        host = model.hosts.get(as_host or each)
        spoken = platform or (host.platform if host is not None and not host.linux else "")
        if not spoken:
            raise Unclear(
                f"{each}: found neither a file nor a vendor's host of {model.name}; give --platform, or a file"
            )
        at, port = _where(address or each)
        where = Address(host.name if host is not None else each, at, port, user)
        places = Places(instance or current_instance())
        pinned = _agreed(Pins(places.lib / "adopt" / "host_keys"), at, port, accept)
        log = SessionLog(places.lib / "adopt" / f"{at}.log")
        secrets = Credentials(password=_secret(password_file, PASSWORD, f"password of {user} on {at}: "))
        if enable_file is not None or ENABLE in os.environ:
            enable = _secret(enable_file, ENABLE, "")
            secrets = Credentials(password=secrets.password, enable=enable)
        return look(where, spoken, secrets, log, pinned), host.name if host is not None else ""

    return _guarded(action)


def _enrolled(name: str, instance: str) -> dict[str, Any]:
    """A device that the broker knows: what its next apply would change."""
    answer = ask_broker(instance, "diff", host=name)
    state = ask_broker(instance, "state", host=name)
    print(f"{name}: {'differs from' if answer['changed'] else 'is as'} the model (asked through the broker)")
    for each in answer.get("diff", []):
        before, after = each["before"].splitlines(), each["after"].splitlines()
        print(f"  {each['path']}: {len(set(before) - set(after))} lines go, {len(set(after) - set(before))} come")
    return {
        "source": "broker",
        "host": name,
        "same": not answer["changed"],
        "configuration": answer.get("diff", []),
        "running": answer.get("running", []),
        "files": sorted(state.get("files", {})),
    }


def _where(text: str) -> tuple[str, int]:
    at, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Unclear(f"--address: found {text!r}; expected an address or name, and a port after a colon; correct it")
    return at, int(port or SSH_PORT)


def _agreed(pins: Pins, at: str, port: int, accept: str) -> str:
    """The host key to expect: agreed to before, by --host-key, or now on the terminal.  Nobody has logged in yet."""
    shown = host_key(at, port)
    known = pins.get(at, port)
    if known == shown:
        return shown
    said = f"{at} port {port} shows host key {fingerprint(shown)} ({shown.split()[0]})"
    if known:
        raise Unclear(
            f"{said}; expected {fingerprint(known)}, agreed to before; was it replaced? take its line out of the file"
        )
    if accept:
        if accept != fingerprint(shown):
            raise Unclear(f"{said}; expected --host-key {accept}; is this the right device?")
    elif not sys.stdin.isatty():
        raise Unclear(
            f"{said}; expected agreement; compare it at the device's console, then: --host-key {fingerprint(shown)}"
        )
    else:
        print(f"{said}; compare it at the device's console", file=sys.stderr)
        if input("is it the one? [y/N] ").strip().lower() not in ("y", "yes"):
            raise Unclear("the host key was not agreed to; nothing was sent")
    pins.put(at, port, shown)
    return shown


def _secret(file: Path | None, variable: str, question: str) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    if variable in os.environ:
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise Unclear(f"found no terminal to ask for a password on; expected one, or {variable}, or a file; set it")
    return getpass.getpass(question)


def _print(compared: Compared) -> None:
    named = f" ({compared.host})" if compared.host != compared.facts.name else ""
    print(f"{compared.facts.name or compared.source}{named}, {compared.platform}, read from {compared.source}")
    section = ""
    for block in compared.blocks:
        if block.section != section:
            section = block.section
            print(f"  {section}: - on the device, + in the model")
        print("".join(f"    {row}\n" for row in block.rows), end="")
    for each in compared.unknown:
        print(f"  the model does not know: {each}")
    for lack in compared.facts.not_read:
        print(f"  not read: {lack}")
    count = {kind: sum(block.kind == kind for block in compared.blocks) for kind in ("add", "remove", "change")}
    parts = ", ".join(f"{number} to {kind}" for kind, number in count.items())
    print("  as the model has it" if compared.same else f"  {parts}; {len(compared.unknown)} things to find out")


def _guarded(action: Callable[[], int]) -> int:
    def inner() -> int:
        try:
            return action()
        except (Unclear, Unreadable, PatchError) as wrong:
            print(f"sanwang adopt: {wrong}", file=sys.stderr)
            return BAD_INPUT
        except VendorError as wrong:
            print(f"sanwang adopt: {wrong.message}", file=sys.stderr)
            return MISSING if wrong.kind in ("unreachable", "busy") else FAILED
        except OSError as wrong:
            print(f"sanwang adopt: {wrong.filename}: {wrong.strerror}; give another file", file=sys.stderr)
            return BAD_INPUT

    return guarded(inner)


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang adopt")
