"""What is measured on the test part of a fold."""

from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.metrics import accuracy_score, f1_score, recall_score

from skfer._typing import NDArray
from skfer.exceptions import ignored
from skfer.metrics import (
    clustering_nmi,
    expected_calibration_error,
    mean_average_precision_at_r,
    recall_at_k,
)

RANKS = (1, 2, 4, 8)

CLASSIFICATION = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}
"""Measures of the classifier, and what tables call them."""

EMBEDDING = {
    **{f"recall_at_{k}": f"recall@{k}" for k in RANKS},
    "map_at_r": "MAP@R",
    "nmi": "NMI",
}
"""Measures of the distances in the embedding."""

POSTERIOR = {"ece": "ECE"}
"""Of the embedder's own probabilities, if it has any."""

MEASURES = CLASSIFICATION | EMBEDDING | POSTERIOR

_FEW_GROUPS = 5


def measure_predictions(y_true: NDArray[Any], y_predicted: NDArray[Any]) -> dict[str, float | None]:
    """Return the measures of a classification.

    Means over classes are over those that are there: a fold of one subject may lack some.
    """
    labels = np.unique(y_true)
    options: dict[str, Any] = {"labels": labels, "average": "macro"}
    return {
        "accuracy": float(accuracy_score(y_true, y_predicted)),
        "balanced_accuracy": float(recall_score(y_true, y_predicted, **options)),
        "macro_f1": float(f1_score(y_true, y_predicted, **options)),
    }


def measure_embedding(
    Z_train: NDArray[Any],
    Z_test: NDArray[Any],
    y_train: NDArray[Any],
    y_test: NDArray[Any],
    groups_test: NDArray[Any] | None,
) -> dict[str, float | None]:
    """Return the measures of the distances in an embedding.

    Where fewer than five groups are tested the training part is searched, since among so few
    there may be nothing to find; else the test part, without a face's own group.
    """
    where: dict[str, Any] = {}
    n_candidates = len(Z_test) - 1
    if groups_test is not None and len(np.unique(groups_test)) >= _FEW_GROUPS:
        where = {"groups": groups_test}
    elif groups_test is not None:
        where = {"reference_embeddings": Z_train, "reference_labels": y_train}
        # Where all faces are one point, the training part seems to begin with the test part, and
        # one of it is left out.
        n_candidates = len(Z_train) - 1
    ranks = [k for k in RANKS if k <= n_candidates]
    scores: dict[str, float | None] = dict.fromkeys(EMBEDDING)
    if not ranks:
        return scores
    with ignored(UndefinedMetricWarning):
        recalls = np.atleast_1d(recall_at_k(Z_test, y_test, k=ranks, **where))
        scores["map_at_r"] = _defined(mean_average_precision_at_r(Z_test, y_test, **where))
    scores |= {f"recall_at_{k}": _defined(r) for k, r in zip(ranks, recalls, strict=True)}
    scores["nmi"] = _nmi(Z_test, y_test)
    return scores


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _nmi(Z: NDArray[Any], y: NDArray[Any]) -> float | None:
    if len(np.unique(y)) < 2:
        return None
    # A collapsed embedding has fewer points than classes; it is told as such.
    with ignored(ConvergenceWarning):
        return clustering_nmi(Z, y, random_state=0)


def measure_posterior(embedder: Any, X: NDArray[Any], y: NDArray[Any]) -> dict[str, float | None]:
    """Return the measures of an embedder's own probabilities, None where it has none."""
    if not hasattr(embedder, "predict_proba"):
        return dict.fromkeys(POSTERIOR)
    proba = embedder.predict_proba(X)
    return {"ece": expected_calibration_error(y, proba, labels=embedder.classes_)}
