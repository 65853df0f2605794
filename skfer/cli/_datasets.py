"""`skfer datasets check`."""

import argparse

from skfer.cli._output import say
from skfer.cli.exit_codes import INCOMPLETE
from skfer.datasets import check_dataset


def run(arguments: argparse.Namespace) -> int:
    """Print what was found of a data set; 1 if it is not as published."""
    report = check_dataset(arguments.name, arguments.root, decode=arguments.decode)
    say(str(report))
    if not arguments.decode:
        say("Pictures were not opened: --decode tells of those that cannot be read.")
    return 0 if report.ok else INCOMPLETE
