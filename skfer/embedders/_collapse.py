"""Tells the user when an embedder does not learn."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path
from typing import Any

import sklearn

from skfer.exceptions import EmbeddingCollapseWarning

COLLAPSE_SPREAD = 0.1
"""Below this share of the squared norm, embeddings count as coincident."""
PATIENCE = 10
"""How many passes of ``partial_fit`` may look like a collapse: the first ones often do."""
_SCIKIT_LEARN = Path(sklearn.__file__).parent
_PASSED_THROUGH = tuple(
    f"{path.as_posix()}/"
    for path in (Path(__file__).parents[1], _SCIKIT_LEARN, _SCIKIT_LEARN.with_name("joblib"))
)


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn about the line that called skfer, be it directly or through scikit-learn.

    Parameters
    ----------
    message : str
        What to say.
    category : type
        Kind of the warning.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back and Path(frame.f_code.co_filename).as_posix().startswith(_PASSED_THROUGH):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_if_collapsed(model: Any, n_epochs: int = 1) -> None:
    """Warn if the latest loss is not finite, or if the latest epochs all look like a collapse.

    Parameters
    ----------
    model : BaseEmbedder
        A trained embedder.
    n_epochs : int, default=1
        How many epochs, at least.
    """
    name = type(model).__name__
    epochs = model.history_[-n_epochs:]
    if not math.isfinite(epochs[-1]["train_loss"]):
        warn_caller(
            f"{name} did not learn: the loss is not finite. Lower the learning rate (lr), or "
            "train in precision='float32'.",
            EmbeddingCollapseWarning,
        )
        return
    if len(epochs) == n_epochs and all(_looks_collapsed(model, epoch) for epoch in epochs):
        spread = epochs[-1]["embedding_spread"]
        what = (
            f"the embeddings nearly coincide (spread {spread:.2g})"
            if spread < COLLAPSE_SPREAD
            else "every triplet was still active in the last epoch"
        )
        warn_caller(f"{name} did not learn: {what}. {model._advice()}", EmbeddingCollapseWarning)


def _looks_collapsed(model: Any, epoch: dict[str, Any]) -> bool:
    all_active = model._learns_from_triplets and epoch.get("active_fraction", 0) == 1
    return all_active or epoch["embedding_spread"] < COLLAPSE_SPREAD
