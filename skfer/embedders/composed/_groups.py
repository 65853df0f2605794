"""Who is on the samples of an embedder that sets some of them aside."""

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skfer._typing import NDArray
from skfer.embedders.base import BaseEmbedder
from skfer.embedders.composed._with_labels import WithLabels


def told_groups(estimator: Any, groups: NDArray[Any] | None) -> dict[str, Any]:
    """Return what tells the embedder of an unfitted model, in `fit`, who is on its samples.

    With early stopping it sets samples aside, of other persons than those that it learns from.
    Without, and where there is one person alone, it is told nothing; nor are models without an
    embedder of this package in plain sight, and pipelines that route by requests of their own.
    """
    if groups is None or len(np.unique(groups)) < 2:
        return {}
    if isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        told = [(name, told_groups(step, groups)) for name, step in estimator.steps]
        return {f"{name}__{key}": value for name, some in told for key, value in some.items()}
    return {"groups": groups} if _sets_aside(estimator) else {}


def _sets_aside(estimator: Any) -> bool:
    if isinstance(estimator, WithLabels):
        return _sets_aside(estimator.embedder)
    is_one = isinstance(estimator, BaseEmbedder) and has_fit_parameter(estimator, "groups")
    return is_one and bool(estimator.early_stopping)
