"""How many samples keep the margin to synthesized negatives: `python -m benchmarks.negatives`.

Rows of eight classes that overlap a little, a minute at most. What the negatives do to faces tells
`python -m benchmarks.accuracy --suite negatives`.
"""

import argparse
import sys
from typing import Any

import numpy as np

from benchmarks._timing import one_thread, record, table
from skfer import TripletCenterEmbedder

SIZES = (1, 2, 4, 8, 16, 32)
EPOCHS = 60


def rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, test rows, and the labels of either."""
    rng = np.random.RandomState(seed)
    y = np.repeat(np.arange(8), 40)
    means = rng.normal(size=(8, 20))
    return means[y] + rng.normal(size=(320, 20)), means[y] + rng.normal(size=(320, 20)), y


def fit(seed: int, **parameters: Any) -> tuple[float, float]:
    """Return the share of active samples in the last epoch, and the accuracy on test rows."""
    X, X_test, y = rows(seed)
    model = TripletCenterEmbedder(
        max_epochs=EPOCHS, samples_per_class=8, random_state=seed, **parameters
    )
    with one_thread():
        model.fit(X, y)
        return model.history_[-1]["active_fraction"], model.score(X_test, y)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    kinds: dict[str, dict[str, Any]] = {
        "center_weight=0": {"center_weight": 0},
        "nearest": {"negatives": "nearest"},
        **{f"fully-synthesized, pieces of {size}": {"synthesis_size": size} for size in SIZES},
    }
    lines = []
    for name, parameters in kinds.items():
        if "synthesis_size" in parameters:
            parameters = {"negatives": "fully-synthesized", **parameters}
        cells = []
        for lr in (0.003, 0.03):
            fits = [fit(seed, center_lr=lr, **parameters) for seed in range(arguments.seeds)]
            active, accuracy = np.mean(fits, axis=0)
            cells += ["" if "center_weight" in parameters else f"{active:.3f}", f"{accuracy:.3f}"]
        lines.append([name, *cells])
    header = ["negatives", "active, center_lr=0.003", "accuracy", "active, center_lr=0.03"]
    text = table([*header, "accuracy"], lines)
    print(text)
    if arguments.write:
        about = (
            f"Rows of eight classes, {EPOCHS} passes, {arguments.seeds} seeds; the share of "
            "samples that do not keep the margin in the last pass."
        )
        record("Negatives (`python -m benchmarks.negatives`)", f"{about}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
