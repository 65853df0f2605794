"""`skfer info`."""

import argparse

from skfer.cli._output import say
from skfer.persistence import model_card


def run(arguments: argparse.Namespace) -> int:
    """Print the card of a model file."""
    say(model_card(arguments.model).rstrip())
    return 0
