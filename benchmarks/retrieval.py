"""Finding the same expression: `python -m benchmarks.retrieval [--root DIR] [--write]`.

Recall@1, 2, 4 and 8 among the faces of other persons, all of them held out, and the normalised
mutual information (NMI) of k-means clusters with the expressions, for every embedder and baseline.
The fits are those of `python -m benchmarks.accuracy --suite embedders`; what is there already is
not computed again.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._suites import SUITES
from benchmarks._timing import record, table
from benchmarks.accuracy import RANKS, run, spread

SUITE = "embedders"
DEFAULTS = {"suite": SUITE, "budget": "quick", "purpose": "report", "methods": None}


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="folder of wild-faces; without it only synthetic")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args(namespace=argparse.Namespace(**DEFAULTS))
    datasets = (["wild"] if arguments.root else []) + ["synthetic"]
    texts = [report(name, run(SUITES[SUITE], name, arguments)) for name in datasets]
    print("\n\n".join(texts))
    if arguments.write:
        about = (
            "Queries and answers are faces of persons held out, never of the same person; mean ± "
            "standard deviation over folds and seeds."
        )
        record("Retrieval (`python -m benchmarks.retrieval`)", "\n\n".join([about, *texts]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
