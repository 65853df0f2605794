"""How good a model that is kept is on labeled faces, as numbers."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skfer.evaluation._measures import (
    CLASSIFICATION,
    POSTERIOR,
    measure_posterior,
    measure_predictions,
)
from skfer.inspection._words import as_fitted


def can_be_scored(model: Any) -> bool:
    """Whether a model predicts classes."""
    return hasattr(model, "predict") and hasattr(model, "classes_")


def scores_of(model: Any, faces: Bunch) -> dict[str, Any]:
    """Return the measures of a fitted model on labeled faces, and the recall of each class.

    Those of its probabilities are None where it has none, or does not know all classes.
    """
    y = as_fitted(model, faces.target, faces.target_names)
    predicted = model.predict(faces.images)
    scores: dict[str, float | None] = dict.fromkeys(POSTERIOR)
    if np.isin(y, model.classes_).all():
        scores = measure_posterior(model, faces.images, y)
    is_right = predicted == y
    return {
        "scores": measure_predictions(y, predicted) | scores,
        "recall": {
            str(faces.target_names[code]): float(np.mean(is_right[faces.target == code]))
            for code in np.unique(faces.target)
        },
    }


def in_words(scores: dict[str, float | None]) -> str:
    """Return measures in a line; those that are None are left out."""
    names = CLASSIFICATION | POSTERIOR
    told = (f"{names[name]} {value:.3f}" for name, value in scores.items() if value is not None)
    return ", ".join(told)
