"""`skfer info`."""

import argparse

from skfer.cli._output import say
from skfer.persistence import load_expression_model, model_card


def run(arguments: argparse.Namespace) -> int:
    """Print the card of a model file, or of the model that comes with skfer."""
    own = arguments.model is not None
    say(model_card(arguments.model if own else load_expression_model()).rstrip())
    return 0
