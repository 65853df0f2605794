"""The command ``python -m skfer.pretraining``."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from skfer.pretraining import Recipe, make_start


def main() -> int:
    """Make a start from the command line."""
    parser = argparse.ArgumentParser(prog="python -m skfer.pretraining", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the weights and their card")
    parser.add_argument("--device", default="cpu", help="device of torch (default: %(default)s)")
    for field in fields(Recipe):
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=type(field.default), default=field.default)
    given = vars(parser.parse_args())
    out, device = given.pop("out"), given.pop("device")
    print(make_start(out, Recipe(**given), device=device, verbose=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
