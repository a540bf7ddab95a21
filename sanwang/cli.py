"""How a typer application becomes a ``main(argv) -> int`` of the command table.

>>> def main(argv: list[str]) -> int:
...     return run_app(app, argv, "sanwang county")  # doctest: +SKIP
"""

from __future__ import annotations

import sys

import typer
from typer.exceptions import Exit, TyperException


def run_app(app: typer.Typer, argv: list[str], prog_name: str) -> int:
    """Run the application and return its exit code.

    A command may return an int or raise ``typer.Exit(code)``; wrong arguments give 2 and a message.
    """
    try:
        result = app(argv, prog_name=prog_name, standalone_mode=False)
    except Exit as leave:
        return leave.exit_code
    except typer.Abort:
        return 130
    except TyperException as problem:
        print(f"{prog_name}: {problem.format_message()} ('{prog_name} --help' tells more)", file=sys.stderr)
        return problem.exit_code
    return result if isinstance(result, int) else 0
