"""The measures as scikit-learn scorers, for ``cross_validate`` and ``GridSearchCV``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from skfer.metrics._clustering import clustering_nmi
from skfer.metrics._retrieval import (
    mean_average_precision_at_r,
    precision_at_k,
    recall_at_k,
)


class EmbeddingScorer:
    """Score a fitted model by a measure of the embedding that it computes.

    Made by the functions of this module; see `recall_at_k_scorer`.

    Parameters
    ----------
    measure : callable
        ``measure(embeddings, labels, **params)``; larger is better.
    params : dict
        Parameters of the measure.
    takes_groups : bool, default=True
        Whether the measure takes ``groups``.
    """

    def __init__(
        self, measure: Callable[..., Any], params: dict[str, Any], *, takes_groups: bool = True
    ):
        self.measure = measure
        self.params = params
        self.takes_groups = takes_groups
        self._groups_request: bool | str | None = None

    def __call__(
        self,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
    ) -> float:
        """Embed X with the fitted estimator and measure the embedding against y."""
        params = dict(self.params)
        if groups is not None and self.takes_groups:
            params["groups"] = groups
        return self.measure(_embed(estimator, X), y, **params)

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.measure.__name__}_scorer({params})"

    def set_score_request(self, *, groups: bool | str | None) -> EmbeddingScorer:
        """Ask that groups be passed to the scorer, by scikit-learn's metadata routing.

        Parameters
        ----------
        groups : bool, str or None
            True asks for ``groups``, False ignores them, a string asks for them under that name,
            and None makes it an error to pass them.

        Returns
        -------
        self : EmbeddingScorer
            The scorer itself.

        Raises
        ------
        RuntimeError
            When metadata routing is off.
        TypeError
            When the measure takes no groups.
        """
        if not get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "set_score_request needs metadata routing: enable it by "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        if not self.takes_groups:
            raise TypeError(f"{self!r} takes no groups: remove the request.")
        self._groups_request = groups
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Tell scikit-learn which metadata the scorer wants.

        Returns
        -------
        routing : MetadataRequest
            The request for ``groups``.
        """
        request = MetadataRequest(owner=self)
        if self.takes_groups:
            request.score.add_request(param="groups", alias=self._groups_request)
        return request

    def _accept_sample_weight(self) -> bool:
        # Searches ask this of every scorer in a dict when fitted with sample_weight.
        return False


def recall_at_k_scorer(k: int = 1) -> EmbeddingScorer:
    """Make a scorer that computes `recall_at_k` on the test fold's embedding.

    The embedding is the estimator's ``transform``. A pipeline that ends in a classifier without
    transform is measured by the steps before it, a fitted search by its best estimator. The test
    fold is searched in itself.

    Parameters
    ----------
    k : int, default=1
        How many neighbours to look at.

    Returns
    -------
    scorer : EmbeddingScorer
        A callable ``scorer(estimator, X, y, groups=None)``; larger is better.

    Notes
    -----
    Groups, whose members a query must not find, reach the scorer by metadata routing alone:
    ``recall_at_k_scorer().set_score_request(groups=True)``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfer.metrics import recall_at_k_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> embedder = NeighborhoodComponentsAnalysis(n_components=2, random_state=0)
    >>> model = make_pipeline(embedder, KNeighborsClassifier())
    >>> bool(cross_val_score(model, X, y, scoring=recall_at_k_scorer(k=2), cv=3).min() > 0.9)
    True
    """
    return EmbeddingScorer(recall_at_k, {"k": k})


def precision_at_k_scorer(k: int = 1) -> EmbeddingScorer:
    """Make a scorer that computes `precision_at_k` on the test fold's embedding.

    Parameters
    ----------
    k : int, default=1
        How many neighbours to look at.

    Returns
    -------
    scorer : EmbeddingScorer
        A callable ``scorer(estimator, X, y, groups=None)``; larger is better.

    See Also
    --------
    recall_at_k_scorer : How the embedding is found and how groups are passed.

    Examples
    --------
    >>> from skfer.metrics import precision_at_k_scorer
    >>> precision_at_k_scorer(k=10)
    precision_at_k_scorer(k=10)
    """
    return EmbeddingScorer(precision_at_k, {"k": k})


def mean_average_precision_at_r_scorer() -> EmbeddingScorer:
    """Make a scorer that computes `mean_average_precision_at_r` on the test fold's embedding.

    Returns
    -------
    scorer : EmbeddingScorer
        A callable ``scorer(estimator, X, y, groups=None)``; larger is better.

    See Also
    --------
    recall_at_k_scorer : How the embedding is found and how groups are passed.

    Examples
    --------
    >>> from skfer.metrics import mean_average_precision_at_r_scorer
    >>> mean_average_precision_at_r_scorer()
    mean_average_precision_at_r_scorer()
    """
    return EmbeddingScorer(mean_average_precision_at_r, {})


def clustering_nmi_scorer(
    random_state: int | np.random.RandomState | None = None,
) -> EmbeddingScorer:
    """Make a scorer that computes `clustering_nmi` on the test fold's embedding.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Draws the starts of k-means.

    Returns
    -------
    scorer : EmbeddingScorer
        A callable ``scorer(estimator, X, y)``; larger is better.

    See Also
    --------
    recall_at_k_scorer : How the embedding is found.

    Examples
    --------
    >>> from skfer.metrics import clustering_nmi_scorer
    >>> clustering_nmi_scorer(random_state=0)
    clustering_nmi_scorer(random_state=0)
    """
    return EmbeddingScorer(clustering_nmi, {"random_state": random_state}, takes_groups=False)


def _embed(estimator: Any, X: ArrayLike) -> np.ndarray:
    if hasattr(estimator, "transform"):
        return estimator.transform(X)
    if hasattr(estimator, "best_estimator_"):
        return _embed(estimator.best_estimator_, X)
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        return _embed(estimator[:-1], X)
    raise TypeError(
        f"estimator {type(estimator).__name__} computes no embedding: it needs a transform method, "
        "or to be a pipeline with a transformer before its last step."
    )
