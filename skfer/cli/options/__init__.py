"""The options of all commands. Nothing here imports numpy or torch: help is there at once."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skfer._version import __version__
from skfer.cli.options._data import CHECKABLE
from skfer.cli.options._evaluate import add_evaluate
from skfer.cli.options._models import add_models
from skfer.cli.options._values import one_of


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it returns has the command's file as ``command``."""
    parser = argparse.ArgumentParser(
        "skfer",
        description="Facial expression recognition by deep metric learning.",
        epilog="Start with `skfer evaluate`, which needs no data; `skfer evaluate --help` tells "
        "how to run it on your own faces.",
    )
    parser.add_argument("--version", action="version", version=f"skfer {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_models(commands)
    add_evaluate(commands)
    _add_datasets(commands)
    return parser


def read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return what a call says; pictures may stand on both sides of an option."""
    parser = make_parser()
    arguments, others = parser.parse_known_args(argv)
    has_places = hasattr(arguments, "places")
    if others and (not has_places or any(word.startswith("-") for word in others)):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if has_places:
        arguments.places += map(Path, others)
    return arguments


def _add_datasets(commands: Any) -> None:
    parser = commands.add_parser("datasets", help="look at your copy of a published data set")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="compare a copy with what is published",
        description="Tell the layout found, the counts of each class beside the published ones, "
        "and what is missing. Exit code 1 if the copy is not as published.",
    )
    check.add_argument("name", type=one_of(CHECKABLE), metavar="NAME", help=", ".join(CHECKABLE))
    check.add_argument("root", type=Path, metavar="ROOT", help="the folder of your copy")
    check.add_argument(
        "--decode", action="store_true", help="decode every picture too, to see whether it can be"
    )
    check.set_defaults(command="datasets")
