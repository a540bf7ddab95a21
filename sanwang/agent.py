"""``sanwang agent``: the lean process on every appliance.

Started by the host's service supervisor, best as ``python -OO -m sanwang.agent``: typer and the command table stay
out of the process.
"""

from __future__ import annotations

import sys

_HELP = """\
usage: sanwang agent [--config FILE]

Watches this appliance (links, routes, neighbours, BFD, OSPF, services, tunnels), tells the collector of every change
at once, answers and sends STAMP probes, and serves /state and /metrics on the management address, port 9100.

  --config FILE   what provision rendered (default /etc/sanwang/agent.json)

example: sanwang agent --config /etc/sanwang/agent.json

exit codes: 0 stopped, 2 bad configuration"""


def main(argv: list[str]) -> int:
    """Run until SIGTERM; returns the exit code."""
    if "-h" in argv or "--help" in argv:
        print(_HELP)
        return 0
    path = "/etc/sanwang/agent.json"
    if len(argv) == 2 and argv[0] == "--config":
        path = argv[1]
    elif argv:
        print(f"sanwang agent: found {' '.join(argv)!r}, expected --config FILE", file=sys.stderr)
        return 2

    from collectors.agent import lean

    lean.prepare()
    from pathlib import Path

    from collectors.agent import config, main

    try:
        settings = config.load(Path(path))
    except config.ConfigError as problem:
        print(f"sanwang agent: {problem}", file=sys.stderr)
        return 2
    return main.run(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
