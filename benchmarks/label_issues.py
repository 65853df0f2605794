"""Are wrong labels found? `python -m benchmarks.label_issues [--root DIR] [--write]`.

A tenth of the labels, drawn at random, is replaced by another class. `label_issues` ranks all
labels by what models say that have not seen the persons: the area under the ROC curve with which
the ranking tells the wrong ones. Beside it are its two parts alone, and, where cleanlab is
installed, its three measures of label quality on the same probabilities.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks._timing import one_thread, record, table
from skfer import GaussianMetricEmbedder, TripletCenterEmbedder
from skfer.datasets import load_image_table, make_expressions
from skfer.inspection import label_issues

SHARE = 0.1  # of wrong labels
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
MODELS: dict[str, Callable[..., Any]] = {
    "triplet-center": TripletCenterEmbedder,
    "gaussian": GaussianMetricEmbedder,
}


def drawn_faces(seed: int, _: Path | None, n_faces: int) -> tuple[Any, Any, Any]:
    """Images, labels and persons of drawn faces."""
    faces = make_expressions(n_faces // 24, 3, random_state=seed)
    return faces.images, faces.target, faces.groups


def wild_faces(seed: int, root: Path | None, n_faces: int) -> tuple[Any, Any, Any]:
    """Images, labels and persons of real faces, as many of each class as there may be."""
    assert root is not None
    faces = load_image_table(
        root / "labels.csv", root / "images", label_column="expression", group_column="person"
    )
    shuffled = np.random.RandomState(seed).permutation(len(faces.target))
    classes = np.unique(faces.target)
    rows = [shuffled[faces.target[shuffled] == c][: n_faces // len(classes)] for c in classes]
    rows = np.concatenate(rows)
    return faces.images[rows], faces.target[rows], faces.groups[rows]


DATA = {"drawn": drawn_faces, "wild": wild_faces}


def with_wrong_labels(y: Any, seed: int) -> tuple[Any, Any]:
    """Labels of which some are wrong, and which those are."""
    rng = np.random.RandomState(1000 + seed)
    wrong = rng.rand(len(y)) < SHARE
    classes, codes = np.unique(y, return_inverse=True)
    moved = (codes + rng.randint(1, len(classes), size=len(y))) % len(classes)
    return classes[np.where(wrong, moved, codes)], wrong


def run(data: str, model: str, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Area under the ROC curve of each way to rank."""
    X, y, groups = DATA[data](seed, arguments.root, arguments.n_faces)
    given, wrong = with_wrong_labels(y, seed)
    embedder = MODELS[model](max_epochs=arguments.epochs, random_state=seed)
    issues = label_issues(embedder, X, given, groups=groups, cv=arguments.folds, random_state=seed)
    scores = {
        "label_issues (ours)": issues.score,
        "probability alone": -issues.confidence,
        "neighbors alone": -issues.neighbor_share,
    }
    scores |= cleanlab_scores(given, issues.proba)
    return {name: float(roc_auc_score(wrong, score)) for name, score in scores.items()}


def cleanlab_scores(given: Any, proba: Any) -> dict[str, Any]:
    """Suspicion by cleanlab's measures; nothing where it is not installed."""
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return {}
    codes = np.unique(given, return_inverse=True)[1]
    return {
        f"cleanlab, {method.replace('_', ' ')}": -get_label_quality_scores(
            codes, proba, method=method
        )
        for method in METHODS
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="folder of wild-faces; without it only drawn")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--n-faces", type=int, default=960)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    names = ["drawn"] + (["wild"] if arguments.root else [])
    columns: dict[str, list[dict[str, float]]] = {}
    with one_thread():
        for data in names:
            for model in MODELS:
                seeds = range(arguments.seeds)
                columns[f"{data}, {model}"] = [run(data, model, s, arguments) for s in seeds]
                print(data, model, columns[f"{data}, {model}"], file=sys.stderr, flush=True)
    ways = list(next(iter(columns.values()))[0])
    rows = [
        [way, *(f"{np.mean([result[way] for result in found]):.3f}" for found in columns.values())]
        for way in ways
    ]
    text = (
        f"{arguments.n_faces} faces, {arguments.folds} folds of persons apart, {arguments.epochs} "
        f"epochs, {SHARE:.0%} of the labels wrong; area under the ROC curve, mean of "
        f"{arguments.seeds} seeds.\n\n{table(['ranking', *columns], rows)}"
    )
    print(text)
    if arguments.write:
        record("Wrong labels (`python -m benchmarks.label_issues`)", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
