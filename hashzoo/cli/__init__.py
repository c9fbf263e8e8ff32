"""The command line: one module per command, arguments to calls and nothing else."""

from hashzoo.cli.entry import main

__all__ = ["main"]
