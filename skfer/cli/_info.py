"""`skfer info`."""

from __future__ import annotations

import argparse
import json

from skfer.cli._output import say
from skfer.persistence import read_card


def run(arguments: argparse.Namespace) -> int:
    """Print what a model file says of itself."""
    card = read_card(arguments.model)
    say(json.dumps(card, indent=2, ensure_ascii=False))
    return 0
