"""``sanwang playbook``: run the county's playbooks with live progress per stage and host."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from inventory.errors import CountyErrors
from inventory.places import Places, current_instance
from provision import play
from sanwang.cli import run_app

app = typer.Typer(
    help="Run a playbook with live progress.\n\nExample: sanwang playbook run site.yml --check --diff",
    add_completion=False,
    no_args_is_help=True,
)


@app.command("list")
def list_playbooks() -> None:
    """The playbooks there are, each with its first comment."""
    for path in sorted(play.PLAYBOOKS.glob("*.yml")):
        first = path.read_text().splitlines()[0].lstrip("# ")
        print(f"{path.name:<16}{first}")


@app.command(epilog="example: sanwang playbook run site.yml --limit at_township --check --diff")
def run(
    playbook: Annotated[str, typer.Argument(help="name under playbooks/, or a path")],
    limit: Annotated[str, typer.Option(help="hosts and groups, as Ansible's --limit")] = "",
    tags: Annotated[str, typer.Option(help="only plays and tasks with one of these tags, joined by commas")] = "",
    check: Annotated[bool, typer.Option("--check", help="change nothing, say what would change")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="show the lines that differ; secrets stay hidden")] = False,
    instance: Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document as the last line")] = False,
) -> int:
    """Run one playbook; exit code 1 when a host failed, 2 for bad input, 3 when no broker answers."""
    console = Console(stderr=as_json)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task(playbook, total=None)

    def tell(stage: str, done: int, expected: int) -> None:
        bar.update(task, description=stage or playbook, completed=done, total=expected)

    def show(event: play.Event) -> None:
        if event.outcome in ("changed", "failed", "unreachable"):
            colour = "yellow" if event.outcome == "changed" else "red"
            bar.console.print(f"[{colour}]{event.outcome:<12}[/]{event.host:<14}{event.message}", highlight=False)
        for each in event.diff:
            bar.console.print(_diff_text(each), markup=False, highlight=False)

    try:
        with bar:
            result = play.run(
                playbook,
                places=Places(instance or current_instance()),
                limit=limit,
                tags=[tag for tag in tags.split(",") if tag],
                check=check,
                diff=diff,
                progress=tell,
                on_event=show,
            )
    except (play.PlayError, CountyErrors, ValueError) as error:
        print(f"sanwang playbook: {error}", file=sys.stderr)
        return 2
    console.print(_summary(result, check), highlight=False)
    for line in result.failures:
        console.print(f"  {line}", style="red", markup=False, highlight=False)
    if as_json:
        print(json.dumps(result.as_json(), ensure_ascii=False))
    if any("no device broker" in line for line in result.failures):
        return 3
    return 0 if result.good else 1


def _diff_text(each: dict[str, str]) -> str:
    import difflib

    before, after = str(each.get("before", "")), str(each.get("after", ""))
    name = str(each.get("after_header", ""))
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=1))


def _summary(result: play.Result, check: bool) -> str:
    changed = result.changed
    failed = [name for name, host in result.hosts.items() if host.failed]
    verb = "would change" if check else "changed"
    shown = ", ".join(changed[:12]) + (" ..." if len(changed) > 12 else "")
    return (
        f"{result.playbook}: {len(result.hosts)} hosts, {len(changed)} {verb}{f' ({shown})' if shown else ''}, "
        f"{len(failed)} failed, {result.seconds:.1f} s"
    )


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang playbook")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
