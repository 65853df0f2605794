"""The measures as scikit-learn scorers, for ``cross_validate`` and ``GridSearchCV``."""

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from skfer._typing import ArrayLike
from skfer.metrics._embedding_steps import embedding_steps
from skfer.validation import refusal, shown


class EmbeddingScorer:
    """Score a fitted model by a measure of the embedding that it computes.

    Made by `make_embedding_scorer`.

    Parameters
    ----------
    metric : callable
        ``metric(embeddings, labels, **params)``; larger is better.
    params : dict
        Further arguments of the metric.

    See Also
    --------
    make_embedding_scorer : Makes it.

    Examples
    --------
    >>> from skfer.metrics import make_embedding_scorer, recall_at_k
    >>> scorer = make_embedding_scorer(recall_at_k, k=2)
    >>> type(scorer).__name__, scorer.params
    ('EmbeddingScorer', {'k': 2})
    """

    def __init__(self, metric: Callable[..., Any], params: dict[str, Any]):
        self.metric = metric
        self.params = params
        self.takes_groups = "groups" in _check_metric(metric, params)
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
        score = self.metric(_embed(estimator, X), y, **params)
        if np.ndim(score):
            raise refusal(
                "metric", "{} returned {} numbers: a score is one.", _name(self.metric), len(score)
            )
        return score

    def __repr__(self) -> str:
        params = [f"{name}={value!r}" for name, value in self.params.items()]
        return f"make_embedding_scorer({', '.join([_name(self.metric), *params])})"

    def set_score_request(self, *, groups: bool | str | None) -> Self:
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
            When the metric takes no groups.
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


def _embed(estimator: Any, X: Any) -> np.ndarray:
    steps = embedding_steps(estimator)
    if not all(hasattr(step, "transform") for step in steps):
        raise TypeError(
            f"estimator {type(estimator).__name__} computes no embedding: it needs a transform "
            "method, or to be a pipeline with a transformer before its last step."
        )
    for step in steps:
        X = step.transform(X)
    return X


def _check_metric(metric: Any, params: Any) -> list[str]:
    """Return the arguments that a metric has, if it has those that are given."""
    if not callable(metric):
        raise refusal(
            "metric",
            "must be a function of embeddings and labels, such as recall_at_k, got {}.",
            shown(metric),
        )
    if not isinstance(params, dict):
        raise refusal("params", "must be a dict of arguments, got {}.", shown(params))
    try:
        has = inspect.signature(metric).parameters
    except ValueError as error:
        raise refusal("metric", "does not say which arguments it has: wrap it.") from error
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in has.values())
    unknown = [name for name in params if name not in has]
    if unknown and not takes_all:
        raise refusal(
            "params",
            "has {}, which is no argument of {}: it has {}.",
            shown(unknown[0]),
            _name(metric),
            ", ".join(has),
        )
    return [*has]


def _name(metric: Callable[..., Any]) -> str:
    return getattr(metric, "__name__", repr(metric))


def make_embedding_scorer(metric: Callable[..., Any], **kwargs: Any) -> EmbeddingScorer:
    """Make a scorer that computes a measure on the embedding of the test fold.

    The embedding is the estimator's ``transform``. A pipeline that ends in what predicts, and is no
    embedder, is measured by the steps before it, even if that transforms, too, as
    LinearDiscriminantAnalysis does: append "passthrough" to measure what it gives. A fitted search
    is measured by its best estimator. The test fold is searched in itself.

    Parameters
    ----------
    metric : callable
        ``metric(embeddings, labels, **kwargs)`` returns one number, of which more is better:
        `recall_at_k`, `precision_at_k`, `mean_average_precision_at_r`, `clustering_nmi`, or a
        function of your own.
    **kwargs : dict
        Further arguments of the metric, such as ``k=5``.

    Returns
    -------
    scorer : EmbeddingScorer
        A callable ``scorer(estimator, X, y, groups=None)``; larger is better.

    Raises
    ------
    ArgumentError
        When the metric cannot be called, or has no such argument.

    See Also
    --------
    sklearn.metrics.make_scorer : The same for measures of predictions.

    Notes
    -----
    Groups, whose members a query must not find, reach the scorer by metadata routing alone:
    ``make_embedding_scorer(recall_at_k).set_score_request(groups=True)``.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfer.datasets import make_expressions
    >>> from skfer.metrics import make_embedding_scorer, recall_at_k
    >>> faces = make_expressions(
    ...     12, 2, image_size=16, classes=["anger", "happiness", "surprise"], random_state=0
    ... )
    >>> X, y = faces.action_units, faces.target
    >>> embedder = NeighborhoodComponentsAnalysis(n_components=2, random_state=0)
    >>> model = make_pipeline(embedder, KNeighborsClassifier())
    >>> scorer = make_embedding_scorer(recall_at_k, k=2)
    >>> scorer
    make_embedding_scorer(recall_at_k, k=2)
    >>> bool(cross_val_score(model, X, y, scoring=scorer, cv=3).min() > 0.9)
    True
    """
    return EmbeddingScorer(metric, kwargs)
