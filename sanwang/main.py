"""``sanwang``: one command line for the county.

The table below names every command and where it lives; a command's module is imported only when it is
called, so that ``sanwang agent`` on a small appliance loads nothing it does not need.  Every module exposes
``main(argv: list[str]) -> int``; ``sanwang.cli.run_app`` makes one of a typer application.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell gives it (128 + SIGINT)."""

BAD_INPUT = 2
"""Exit code when the arguments make no sense."""


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table: where the command is, and its line in the help."""

    target: str  # "module:attribute", called with the remaining arguments, returns the exit code
    line: str
    service: bool = False  # a long-running process, started by the service supervisor rather than by hand


COMMANDS: dict[str, Command] = {
    "up": Command("sanwang.up:main", "bring the county up: hosts, enrolment, playbooks, services, checks"),
    "down": Command("sanwang.down:main", "take it down again; nothing of ours is left on the machine"),
    "status": Command("sanwang.status:main", "is everything there that the model expects?"),
    "prove": Command("sanwang.prove:main", "prove what the planned configurations let through, with witnesses"),
    "verify": Command("sanwang.verify:main", "prove with real packets what is allowed and what is denied"),
    "drill": Command("sanwang.drill:main", "rehearse a failure and measure what it cost"),
    "shots": Command("sanwang.shots:main", "take screenshots of every page from the running county"),
    "dashboards": Command("sanwang.dashboards:main", "write the Grafana dashboards that stand beside the pages"),
    "county": Command("sanwang.county:main", "check, show or start a county's data"),
    "adopt": Command("sanwang.adopt:main", "read a device that runs already; how it differs from the model"),
    "commission": Command("sanwang.commission:main", "begin a county on real machines; what a box's installer needs"),
    "import": Command("sanwang.importing:main", "take in sites and devices from CSV or Excel tables"),
    "plan": Command("sanwang.plan:main", "what every device would become, in which order, for whom, how risky"),
    "rehearse": Command("sanwang.rehearse:main", "try a plan on a twin of the county and attach what was seen"),
    "approve": Command("sanwang.approve:main", "sign a plan as another person, or check who stands behind it"),
    "apply": Command("sanwang.apply:main", "carry an approved plan out, stage by stage; --resume goes on"),
    "rollback": Command("sanwang.rollback:main", "bring the devices of an applied plan back to what they were"),
    "playbook": Command("sanwang.playbook:main", "run a playbook with live progress per stage and host"),
    "backup": Command("sanwang.backup:main", "keep devices' configurations in git, Sanwang itself in a sealed file"),
    "restore": Command("sanwang.restore:main", "give a device, or Sanwang itself, back what was kept of it"),
    "takeover": Command("sanwang.takeover:main", "on the standby management host: take the dead one's place"),
    "history": Command("sanwang.history:main", "what a device was, when, by whom and why; its texts at any time"),
    "drift": Command("sanwang.drift:main", "which devices are not what was applied to them, and what differs"),
    "exit": Command("sanwang.exit:main", "close the Internet exit (intranet in one command), open it, look at it"),
    "replace": Command("sanwang.replace:main", "make a new box what the dead one was"),
    "vpn": Command("sanwang.vpn:main", "remote sites' access: list, rotate keys, revoke, enrol again, expiry"),
    "path": Command("sanwang.path:main", "which routers and fibres a flow rides now, asked of the running hosts"),
    "alert": Command("sanwang.alert:main", "open faults and what they mean; look after one"),
    "impact": Command("sanwang.impact:main", "what a cut would cost before it happens; single points of failure"),
    "fault": Command("sanwang.fault:main", "cut a fibre, kill a host, stop a daemon; list and heal"),
    "shell": Command("sanwang.shell:main", "open a shell on a host of the twin"),
    "capture": Command("sanwang.capture:main", "capture packets on a link"),
    "meet": Command("sanwang.meet:main", "book, list and cancel meetings; print a hall's link"),
    "ops-link": Command("sanwang.ops_link:main", "print a one-time link to the operations page"),
    "account": Command("sanwang.account:main", "people's accounts and roles: add, lock, reset, grant, sessions"),
    "ticket": Command("sanwang.ticket:main", "faults, reports and requests with their time limits (限时办结)"),
    "report": Command("sanwang.month:main", "a month of the county on paper: limits, scores, service levels, faults"),
    "shift": Command("sanwang.shift:main", "who is on duty, the shift log and the handover (值班)"),
    "ca": Command("sanwang.ca:main", "the county's own certificate authority: show, issue, revoke"),
    "cli": Command("sanwang.device_cli:main", "read what a device printed: its output as a table"),
    "snmp": Command("sanwang.snmp:main", "what devices say over SNMP, live or recorded: facts, discovery"),
    "comply": Command("sanwang.comply:main", "graded protection (等级保护): every check with its evidence"),
    "notify": Command("sanwang.notify:main", "mail and short messages: their passwords, a test, what waits"),
    "maintenance": Command("sanwang.maintenance:main", "times in which faults call nobody: open, end, list, of a plan"),
    "events": Command("sanwang.events:main", "find what happened, and prove that the record is whole"),
    "audit": Command("sanwang.audit:main", "read the audit log and verify its chain"),
    "broker": Command("sanwang.broker:main", "the device broker: owns every device session", service=True),
    "collect": Command("sanwang.collect:main", "the collector: polls, probes, listens", service=True),
    "serve": Command("sanwang.serve:main", "the pages, the API and meeting signalling", service=True),
    "relay": Command("sanwang.relay:main", "one media worker: one UDP port, one core", service=True),
    "node": Command("sanwang.node:main", "a township's node: its halls' pages, alone when it must", service=True),
    "agent": Command("sanwang.agent:main", "the agent on each appliance", service=True),
}

_EXAMPLES = """\
examples:
  sanwang up                        bring up the reference county, shili
  sanwang status --json             one JSON document as the last line
  sanwang fault cut ring-c1-c2      cut a fibre; heal it with: sanwang fault heal --all
  sanwang verify --json             prove the policy with packets
  sanwang meet book --help          how to book a meeting

exit codes: 0 good, 1 the check failed, 2 bad input, 3 the environment lacks something"""


def help_text() -> str:
    """The overview: every command on one line, none of them imported."""
    width = max(map(len, COMMANDS)) + 2
    by_hand = [f"  {name:<{width}}{row.line}" for name, row in COMMANDS.items() if not row.service]
    services = [f"  {name:<{width}}{row.line}" for name, row in COMMANDS.items() if row.service]
    return "\n".join(
        [
            "usage: sanwang COMMAND [ARGUMENTS]   (sanwang COMMAND --help tells more)",
            "",
            "commands:",
            *by_hand,
            "",
            "services (started by the supervisor of a host):",
            *services,
            "",
            _EXAMPLES,
        ]
    )


def _unknown(name: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    hint = f" Did you mean 'sanwang {near[0]}'?" if near else ""
    print(f"sanwang: unknown command {name!r}.{hint} 'sanwang --help' lists all of them.", file=sys.stderr)
    return BAD_INPUT


def main(argv: list[str] | None = None) -> int:
    """Dispatch to a command.

    Returns:
        The command's exit code; 2 for an unknown command; 130 after Ctrl-C (the command's own clean-up has
        run by then, as the interrupt passed through it).
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(f"sanwang {arguments[0]}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone: point stdout elsewhere, so that the flush at exit is quiet.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0 if arguments else BAD_INPUT
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"sanwang {version('sanwang')}")
        return 0
    command = COMMANDS.get(arguments[0])
    if command is None:
        return _unknown(arguments[0])

    from importlib import import_module

    module, _, attribute = command.target.partition(":")
    return int(getattr(import_module(module), attribute)(arguments[1:]))
