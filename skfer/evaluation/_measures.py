"""What is measured on the test part of a fold."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, f1_score, recall_score

from skfer.metrics import recall_at_k

MEASURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "recall_at_1": "recall@1",
}
"""The measures, and what tables call them."""

_FEW_GROUPS = 5


def measure_predictions(y_true: NDArray[Any], y_predicted: NDArray[Any]) -> dict[str, float | None]:
    """Return the measures of a classification.

    Means over classes are over those that are there: a fold of one subject may lack some.
    """
    labels = np.unique(y_true)
    options: dict[str, Any] = {"labels": labels, "average": "macro", "zero_division": 0}
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
    if groups_test is not None and len(np.unique(groups_test)) >= _FEW_GROUPS:
        where = {"groups": groups_test}
    elif groups_test is not None:
        where = {"reference_embeddings": Z_train, "reference_labels": y_train}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        recall = float(recall_at_k(Z_test, y_test, **where))
    return {"recall_at_1": None if np.isnan(recall) else recall}
