"""`hashzoo doctor`: what this installation can use, whether it computes right, and how fast."""

from __future__ import annotations

import argparse

from hashzoo.cli.types import Commands, add_command, positive


def add_to(commands: Commands) -> None:
    parser = add_command(commands, "doctor", "check and time everything that can rank here", "hashzoo doctor", diagnose)
    parser.add_argument("--threads", type=positive, metavar="N", help="default: $HASHZOO_THREADS, else all cores")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def diagnose(arguments: argparse.Namespace) -> None:
    from hashzoo.errors import FailedCheck
    from hashzoo.reports import checkup

    findings = checkup.examine(arguments.threads)
    checkup.write(findings, as_json=arguments.json)
    failed = [backend["name"] for backend in findings["backends"] if backend["problem"]]
    if failed:
        raise FailedCheck(f"doctor: {len(failed)} of {len(findings['backends'])} checks failed: {', '.join(failed)}")
