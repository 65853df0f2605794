"""Speed and memory of the losses: ``python -m benchmarks.losses [--write]``.

Prints tables of ratios, exits with 1 if a target is missed, and with --write puts the tables into
benchmarks/RESULTS.md.
"""

import argparse
import sys

from benchmarks import _loss_center, _loss_gaussian, _loss_multi_threshold
from benchmarks._timing import record

# Each has a TITLE and a run() that returns a report and the list of missed targets.
PARTS = [_loss_multi_threshold, _loss_center, _loss_gaussian]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    arguments = parser.parse_args()
    missed = []
    for part in PARTS:
        report, misses = part.run()
        print(f"## {part.TITLE}\n\n{report}\n", flush=True)
        if arguments.write:
            record(part.TITLE, report)
        missed += misses
    print("\n".join(f"MISSED {miss}" for miss in missed) or "All targets met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
