"""Finding the same expression: `python -m benchmarks.retrieval [--sizes N ...] [--write]`.

How long recall@k and MAP@R take, as ratios to scikit-learn's search of the nearest neighbors, and
how it grows; exits with 1 if a target is missed.

With `--accuracy [--root DIR]`: recall@1, 2, 4 and 8 among the faces of other persons, all of them
held out, and the normalized mutual information (NMI) of k-means clusters with the expressions, for
every embedder and baseline. The fits are those of `python -m benchmarks.accuracy --suite
embedders`; what is there already is not computed again.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _retrieval_speed
from benchmarks._suites import SUITES
from benchmarks._timing import record, table
from benchmarks.accuracy import RANKS, run, spread

SUITE = "embedders"
DEFAULTS = {"suite": SUITE, "budget": "quick", "purpose": "report", "methods": None}
TITLE = "Retrieval (`python -m benchmarks.retrieval --accuracy`)"


def report(dataset: str, results: list[dict[str, Any]]) -> str:
    """Lay out the table of one data set."""
    rows = []
    for method in SUITES[SUITE].methods:
        fits = [r for r in results if r["method"] == method]
        recalls = np.array([r["recall_at"] for r in fits])
        nmi = np.array([r["nmi"] for r in fits])
        rows.append([method, *[spread(values) for values in [*recalls.T, nmi]]])
    header = ["method", *[f"recall@{k}" for k in RANKS], "NMI"]
    return f"{dataset}, {len(fits)} fits a method\n\n" + table(header, rows)


def accuracy(arguments: argparse.Namespace) -> str:
    datasets = (["wild"] if arguments.root else []) + ["synthetic"]
    about = (
        "Queries and answers are faces of persons held out, never of the same person; mean ± "
        "standard deviation over folds and seeds."
    )
    texts = [report(name, run(SUITES[SUITE], name, arguments)) for name in datasets]
    return "\n\n".join([about, *texts])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=_retrieval_speed.SIZES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--accuracy", action="store_true", help="of the embedders, not the speed")
    parser.add_argument("--root", type=Path, help="folder of wild-faces; without it only synthetic")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args(namespace=argparse.Namespace(**DEFAULTS))
    if arguments.accuracy:
        title, text, misses = TITLE, accuracy(arguments), []
    else:
        title = _retrieval_speed.TITLE
        text, misses = _retrieval_speed.run(tuple(arguments.sizes), arguments.repeats)
    print(text)
    if arguments.write:
        record(title, text)
    print("\n".join(f"MISSED {miss}" for miss in misses))
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
