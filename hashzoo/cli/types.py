"""Types of arguments, and help that keeps its line breaks."""

from __future__ import annotations

import argparse
from typing import Any

from hashzoo.errors import InvalidInput
from hashzoo.memory import parse_bytes

MOST_BITS = 4096
_SECONDS = {"s": 1, "m": 60, "h": 3600}

Commands = Any  # argparse's action for subcommands has no public name


def add_command(commands: Commands, name: str, summary: str, example: str, call: Any) -> argparse.ArgumentParser:
    """A subcommand whose help ends with an example."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(call=call)
    return parser


def code_lengths(text: str) -> list[int]:
    """ "12,24" -> [12, 24]."""
    lengths = []
    for word in text.split(","):
        if not (word.strip().isascii() and word.strip().isdigit() and 1 <= int(word) <= MOST_BITS):
            raise argparse.ArgumentTypeError(
                f"expected code lengths from 1 to {MOST_BITS}, such as 12,24,36,48, got {text!r}"
            )
        lengths.append(int(word))
    if len(set(lengths)) < len(lengths):
        raise argparse.ArgumentTypeError(f"expected each code length once, got {text!r}")
    return lengths


def positive(text: str) -> int:
    """A whole number from 1."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)


def split_seed(text: str) -> int:
    """A whole number from 0 to 2^64 - 1."""
    if not (text.isascii() and text.isdigit() and int(text) < 2**64):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {2**64 - 1}, got {text!r}")
    return int(text)


def duration(text: str) -> float:
    """ "90s", "10m" or "2h" -> seconds."""
    number, unit = text[:-1], text[-1:]
    if unit not in _SECONDS or not (number.isascii() and number.isdigit() and int(number) >= 1):
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 10m or 2h, got {text!r}")
    return float(int(number) * _SECONDS[unit])


def seed(text: str) -> int:
    """A whole number from 0 to 2^32 - 1."""
    if not (text.isascii() and text.isdigit() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {2**32 - 1}, got {text!r}")
    return int(text)


def names(text: str) -> list[str]:
    """ "dsh,dpsh" -> ["dsh", "dpsh"]."""
    words = [word.strip() for word in text.split(",")]
    if not all(words) or len(set(words)) < len(words):
        raise argparse.ArgumentTypeError(f"expected different names with commas between them, got {text!r}")
    return words


def seeds(text: str) -> list[int]:
    """ "0,1" -> [0, 1]."""
    found = [seed(word.strip()) for word in text.split(",")]
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"expected each seed once, got {text!r}")
    return found


def memory_size(text: str) -> int:
    """ "4GB" -> bytes."""
    try:
        return parse_bytes(text)
    except InvalidInput as mistake:
        raise argparse.ArgumentTypeError(str(mistake)) from None
