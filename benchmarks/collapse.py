"""Whether training ever collapses: `python -m benchmarks.collapse`.

Fits every metric embedder with its defaults and many seeds on drawn faces, and tells the smallest
spread of an embedding and the worst accuracy on unseen persons. For comparison, batch-hard
triplets without the standardized embedding, which collapse.
"""

import argparse
import sys
import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier

from benchmarks._settings import NOISE
from benchmarks._timing import one_thread, record, table
from skfer import (
    EmbeddingCollapseWarning,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.datasets import make_expressions

METHODS = {
    "multi-threshold": lambda **k: MultiThresholdEmbedder(**k),
    "multi-threshold, no classification term": lambda **k: MultiThresholdEmbedder(
        classification_weight=0, **k
    ),
    "triplet-center": lambda **k: TripletCenterEmbedder(**k),
    "Gaussian": lambda **k: GaussianMetricEmbedder(**k),
}
REMEDY_OFF = {"mining": "batch-hard", "standardize_embedding": False, "classification_weight": 0}


def runs(make: Any, seeds: int, epochs: int) -> list[tuple[float, float, bool]]:
    """Spread, accuracy on unseen persons and whether it warned, for each seed."""
    faces = make_expressions(30, 2, random_state=0)
    split = StratifiedGroupKFold(3).split(faces.images, faces.target, faces.groups)
    train, test = next(split)
    results = []
    for seed in range(seeds):
        with warnings.catch_warnings(record=True) as caught, one_thread():
            warnings.simplefilter("always", EmbeddingCollapseWarning)
            model = make(random_state=seed, **NOISE | {"max_epochs": epochs})
            model.fit(faces.images[train], faces.target[train])
            Z = model.transform(faces.images)
        knn = KNeighborsClassifier(5).fit(Z[train], faces.target[train])
        warned = any(issubclass(w.category, EmbeddingCollapseWarning) for w in caught)
        accuracy = knn.score(Z[test], faces.target[test])
        results.append((model.history_[-1]["embedding_spread"], accuracy, warned))
    return results


def row(name: str, results: list[tuple[float, float, bool]]) -> list[str]:
    spreads, accuracies, warned = map(np.array, zip(*results, strict=True))
    return [
        name,
        str(len(results)),
        str(int(warned.sum())),
        f"{spreads.min():.3f}",
        f"{accuracies.mean():.3f}",
        f"{accuracies.min():.3f}",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    rows, collapsed = [], 0
    for name, make in METHODS.items():
        results = runs(make, arguments.seeds, arguments.epochs)
        collapsed += sum(warned for *_, warned in results)
        rows.append(row(name, results))
        print(rows[-1], flush=True)
    off = runs(lambda **k: MultiThresholdEmbedder(**REMEDY_OFF, **k), 3, arguments.epochs)
    rows.append(row("multi-threshold, batch-hard, embedding not standardized", off))
    header = ["method", "seeds", "warned", "least spread", "5-NN accuracy", "worst"]
    text = table(header, rows)
    print(text)
    if arguments.write:
        record("Collapse (`python -m benchmarks.collapse`)", text)
    return 0 if collapsed == 0 and all(warned for *_, warned in off) else 1


if __name__ == "__main__":
    sys.exit(main())
