"""What faces without labels add: `python -m benchmarks.semi_supervised [--root DIR] [--write]`.

A share of the labels is kept, at least two of each class, and the rest hidden (-1). Balanced
accuracy of GaussianMetricEmbedder's own posterior on persons held out: trained on the labeled
faces alone, with the others beside them, and inside scikit-learn's SelfTrainingClassifier. Every
fit takes the same number of steps; self-training fits three times.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.semi_supervised import SelfTrainingClassifier

from benchmarks._settings import NOISE
from benchmarks._suites import EMBEDDERS
from benchmarks._timing import one_thread, record, table
from benchmarks.accuracy import load, paired, spread
from skfer import GaussianMetricEmbedder
from skfer.training import BalancedBatchSampler

SHARES = (0.05, 0.10, 0.25)
STEPS = 500
SELF_TRAINING_ROUNDS = 2
ALONE, BESIDE, SELF = "labeled alone", "with the others", "self-training"
MOST_OF_A_CLASS = 400
FOLDS = 3


class FixedSteps(ClassifierMixin, BaseEstimator):
    """The embedder on flat images, with as many epochs as make about `STEPS` steps."""

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> "FixedSteps":
        """Fit; -1 marks rows without a label."""
        self.classes_ = np.unique(y[y >= 0])
        batch = np.minimum(np.unique(y[y >= 0], return_counts=True)[1], 8).sum()
        n_batches = len(BalancedBatchSampler(y, 8, 8, 0, n_unlabeled=batch))
        side = round(X.shape[1] ** 0.5)
        self.embedder_ = GaussianMetricEmbedder(
            image_size=side,
            random_state=self.random_state,
            **NOISE | {"max_epochs": max(1, round(STEPS / n_batches))},
        ).fit(X, y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Posterior of every class."""
        return self.embedder_.predict_proba(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the likeliest class."""
        return self.embedder_.predict(X)


def hide(y: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Keep the share of each class's labels, at least two; the rest becomes -1."""
    rng = np.random.RandomState(seed)
    hidden = np.full_like(y, -1)
    for c in np.unique(y):
        members = np.flatnonzero(y == c)
        hidden[rng.permutation(members)[: max(2, round(share * len(members)))]] = c
    return hidden


def fit_all(X: Any, y: Any, train: Any, test: Any, share: float, seed: int) -> dict[str, float]:
    """Balanced accuracy of each way on the persons held out."""
    labels = hide(y[train], share, seed)
    known = labels >= 0
    self_training = SelfTrainingClassifier(FixedSteps(seed), max_iter=SELF_TRAINING_ROUNDS)
    with one_thread():
        models = {
            ALONE: FixedSteps(seed).fit(X[train][known], labels[known]),
            BESIDE: FixedSteps(seed).fit(X[train], labels),
            SELF: self_training.fit(X[train], labels),
        }
        return {
            name: balanced_accuracy_score(y[test], model.predict(X[test]))
            for name, model in models.items()
        }


def jobs(X: Any, y: Any, groups: Any, seeds: int) -> Iterator[tuple[Any, Any, float, int]]:
    """Every fold, share and draw of the labels."""
    for seed in range(seeds):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=11)
        for train, test in folds.split(X, y, groups):
            for share in SHARES:
                yield train, test, share, seed


def measure(name: str, root: Path | None, seeds: int, n_jobs: int) -> str:
    """Return the table of one data set."""
    images, y, groups = load(name, EMBEDDERS, {"cap": MOST_OF_A_CLASS}, root)
    X = images.reshape(len(images), -1)
    todo = list(jobs(X, y, groups, seeds))
    results = joblib.Parallel(n_jobs)(joblib.delayed(fit_all)(X, y, *job) for job in todo)
    rows = []
    for share in SHARES:
        of_share = [r for r, job in zip(results, todo, strict=True) if job[2] == share]
        scores = {m: np.array([r[m] for r in of_share]) for m in (ALONE, BESIDE, SELF)}
        rows.append(
            [
                f"{share:.0%}",
                *[spread(values) for values in scores.values()],
                paired(scores[BESIDE] - scores[ALONE]),
                paired(scores[BESIDE] - scores[SELF]),
            ]
        )
    header = ["labels", ALONE, BESIDE, SELF, "gain over alone", "gain over self-training"]
    return f"{name}, {len(todo) // len(SHARES)} fits a cell\n\n" + table(header, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="folder of wild-faces")
    parser.add_argument("--seeds", type=int, default=1, help="draws of the labels that are kept")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    names = ["synthetic"] + (["wild"] if arguments.root else [])
    texts = [measure(n, arguments.root, arguments.seeds, arguments.n_jobs) for n in names]
    print("\n\n".join(texts))
    if arguments.write:
        about = (
            f"Balanced accuracy on persons held out, mean ± standard deviation over folds and "
            f"draws of the labels; gains paired, ± standard error. {STEPS} steps a fit."
        )
        title = "Few labels (`python -m benchmarks.semi_supervised`)"
        record(title, "\n\n".join([about, *texts]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
