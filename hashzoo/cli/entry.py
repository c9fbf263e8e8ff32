"""From words to a command and its exit status. A command's module imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from hashzoo import __version__
from hashzoo.cli import bench, data, doctor, new, plot, report, reproduce, results, run, show
from hashzoo.cli import eval as eval_command
from hashzoo.cli import list as list_command
from hashzoo.errors import HashzooError

_EXAMPLE = """\
example:
  hashzoo run dsh --dataset digits --bits 12,24,36,48
  hashzoo results
"""

_COMMANDS = (run, bench, reproduce, list_command, show, eval_command, results, report, plot, data, new, doctor)


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake costs one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status.

    0: done. 2: a mistake of the user's, in one line. 1: a bug in a plugin, with the plugin's own frames. 130: Ctrl-C.
    143: asked to end by SIGTERM, which otherwise does what Ctrl-C does.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    before, warnings.formatwarning = warnings.formatwarning, _one_line
    try:
        with _ended_as_by_ctrl_c() as ended:
            arguments = _parser().parse_args(words)
            arguments.command = ["hashzoo", *words]
            arguments.call(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted; --resume goes on" if "run" in words[:1] else "interrupted", file=sys.stderr)
        return 143 if ended.is_set() else 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails again
        return 1
    except Exception as error:
        return _explained(error)
    finally:
        warnings.formatwarning = before
    return 0


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[threading.Event]:
    """SIGTERM, by which a batch system takes a machine back, leaves a checkpoint and no worker, as Ctrl-C does."""
    ended = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield ended  # only the main thread may handle signals
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        ended.set()
        on_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(on_ctrl_c):  # ignored: a shell started this in the background
            raise KeyboardInterrupt
        on_ctrl_c(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield ended
    finally:
        signal.signal(signal.SIGTERM, before)


def _one_line(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: Any = None) -> str:
    """What a user is told of a warning: where in the code it was raised is no concern of theirs."""
    return f"hashzoo: {message}\n"


def _explained(error: Exception) -> int:
    """Exit status after what a user can understand, or `error` itself if it is a bug of hashzoo's."""
    from hashzoo.cli.faults import plugin_traceback

    line = " ".join(str(error).split())
    if frames := plugin_traceback(error):
        kind = "" if isinstance(error, HashzooError) else f"{type(error).__name__}: "
        print(f"Traceback through the plugin (most recent call last):\n{frames}hashzoo: {kind}{line}", file=sys.stderr)
        return 1
    if not isinstance(error, HashzooError):
        raise error
    print(f"hashzoo: {line}", file=sys.stderr)
    return 2


def _parser() -> Parser:
    parser = Parser(
        prog="hashzoo",
        description="Binary codes for image retrieval: learned, ranked exactly, and reported with their definition.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hashzoo {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    commands_in_order = (
        run,
        bench,
        reproduce,
        list_command,
        show,
        eval_command,
        results,
        report,
        plot,
        data,
        new,
        doctor,
    )
    for command in commands_in_order:
        command.add_to(commands)
    return parser
