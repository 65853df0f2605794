"""Whose probabilities can be believed: ``python -m benchmarks.posteriors [--root DIR] [--write]``.

The log loss and the calibration error of each embedder's own probabilities on persons that it has
not seen, from the start with default settings: few faces and more, balanced and skewed, drawn ones
and photographs. Of the Gaussian embedder also without its temperature. Differences are paired with
cross-entropy.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks._suites import EMBEDDERS
from benchmarks._timing import one_thread, record, table
from benchmarks.accuracy import FOLD_SEEDS, at_most, at_most_in_all, load, paired, spread
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.metrics import expected_calibration_error

TITLE = "Probabilities (`python -m benchmarks.posteriors`)"
ABOUT = (
    "Own probabilities of each embedder on persons held out, from the start with default settings: "
    "accuracy, log loss and expected calibration error, mean ± standard deviation over folds and "
    "seeds; differences in log loss from cross-entropy paired, ± standard error. All classes alike "
    "have a log loss of 1.61 (five classes) or 2.08 (eight)."
)
METHODS: dict[str, Callable[..., Any]] = {
    "cross-entropy": CrossEntropyEmbedder,
    "multi-threshold": MultiThresholdEmbedder,
    "triplet-center": TripletCenterEmbedder,
    "Gaussian": GaussianMetricEmbedder,
}
REFERENCE, WIDE, NARROW = "cross-entropy", "Gaussian", "Gaussian, temperature 1"
FOLDS = 3
MOST_TESTED, MOST_TESTED_OF_A_CLASS = 2000, 200


class Faces(NamedTuple):
    """How many faces of which set are learned from."""

    dataset: str
    of_a_class: int | None = None
    in_all: int | None = None


SETS = {
    "photographs, 24 of each of 5 expressions": Faces("wild", of_a_class=24),
    "photographs, 96 of each of 5 expressions": Faces("wild", of_a_class=96),
    "photographs, 1,500 as skewed as they are": Faces("wild", in_all=1500),
    "drawn faces, 8 of each of 8 expressions": Faces("synthetic", of_a_class=8),
    "drawn faces, 24 of each of 8 expressions": Faces("synthetic", of_a_class=24),
}


def fit_all(data: Any, faces: Faces, fold: int, seed: int, max_epochs: Any) -> dict[str, Any]:
    """Return accuracy, log loss and calibration error of each method in a fold."""
    X, y, groups = data
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=FOLD_SEEDS["report"])
    train, test = list(splitter.split(X, y, groups))[fold]
    train = at_most_in_all(
        at_most(train, y, faces.of_a_class, (seed, fold)), faces.in_all, (seed, fold)
    )
    test = at_most_in_all(test, MOST_TESTED, (seed, fold))
    found = {}
    for name, method in METHODS.items():
        with one_thread():
            embedder = method(random_state=seed, max_epochs=max_epochs).fit(X[train], y[train])
            found[name] = measured(embedder, X[test], y[test])
            if name == WIDE:
                embedder.temperature_ = 1.0
                found[NARROW] = measured(embedder, X[test], y[test])
    return found


def measured(embedder: Any, X: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return accuracy, log loss and calibration error of an embedder's own probabilities."""
    proba, classes = embedder.predict_proba(X), embedder.classes_
    return (
        accuracy_score(y, classes[proba.argmax(axis=1)]),
        log_loss(y, proba, labels=classes),
        expected_calibration_error(y, proba, labels=classes),
    )


def measure(name: str, arguments: argparse.Namespace) -> str:
    """Return the table of one set."""
    faces = SETS[name]
    data = load(faces.dataset, EMBEDDERS, {"cap": None}, arguments.root)
    jobs = [(fold, seed) for seed in range(arguments.seeds) for fold in range(FOLDS)]
    results = joblib.Parallel(arguments.n_jobs)(
        joblib.delayed(fit_all)(data, faces, *job, arguments.epochs or "auto") for job in jobs
    )
    header = ["method", "accuracy", "log loss", "calibration error", "difference in log loss"]
    text = table(header, list(rows_of(results)))
    return f"### {name[0].upper()}{name[1:]}\n\n{len(jobs)} fits a row.\n\n{text}"


def rows_of(results: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a row for each method."""
    reference = np.array([result[REFERENCE] for result in results])
    for name in results[0]:
        values = np.array([result[name] for result in results])
        apart = "" if name == REFERENCE else paired(values[:, 1] - reference[:, 1])
        yield [name, *map(spread, values.T), apart]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="folder of wild-faces; without it only drawn")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="passes of each fit (the usual number)")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    texts = []
    for name in SETS:
        if arguments.root is not None or SETS[name].dataset == "synthetic":
            texts.append(measure(name, arguments))
            print(texts[-1], end="\n\n", flush=True)
    if arguments.write:
        record(TITLE, "\n\n".join([ABOUT, *texts]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
