"""The methods that are compared, by name."""

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfer._typing import NDArray
from skfer.embedders import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.evaluation._checks import check_names, check_seed
from skfer.evaluation._losses_by_name import zoo_embedder
from skfer.evaluation._names import LOSSES, METHODS
from skfer.exceptions import ArgumentError
from skfer.validation import check_int

_EMBEDDERS = {
    "cross-entropy": CrossEntropyEmbedder,
    "multi-threshold": MultiThresholdEmbedder,
    "triplet-center": TripletCenterEmbedder,
    "gaussian": GaussianMetricEmbedder,
}


def make_methods(
    names: Sequence[str] = METHODS,
    *,
    random_state: int | None = None,
    negatives: str | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Return methods to compare, unfitted.

    Parameters
    ----------
    names : sequence of str
        Which of `METHODS`, and of `LOSSES`: the latter are losses of pytorch-metric-learning in a
        :class:`~skfer.MetricLossEmbedder`.
    random_state : int, default=None
        Seed of all.
    negatives : str, default=None
        How the triplet-center embedder chooses its negatives; None is its own default.
    **parameters
        Given to every embedder, such as ``max_epochs`` or ``device``.

    Returns
    -------
    dict of str to transformer
        In the order of `names`.

    Raises
    ------
    ArgumentError
        If a name is unknown.
    ImportError
        If a name is one of `LOSSES` and pytorch-metric-learning is not installed.

    See Also
    --------
    compare : Fits them on every fold.
    pca_baseline : The baseline among them.

    Examples
    --------
    >>> from skfer.evaluation import make_methods
    >>> make_methods(["pca", "gaussian"], max_epochs=5)["gaussian"]
    GaussianMetricEmbedder(max_epochs=5)
    """
    check_seed(random_state, optional=True)
    names = check_names(names)
    unknown = [name for name in names if name not in METHODS + LOSSES]
    if unknown:
        known = ", ".join(METHODS + LOSSES)
        raise ArgumentError("{names=}: give some of {}.", known, names=unknown[0])
    methods: dict[str, Any] = {}
    for name in names:
        if name == "pca":
            methods[name] = pca_baseline(random_state=random_state)
            continue
        own: dict[str, Any] = {"random_state": random_state}
        if name in LOSSES:
            methods[name] = zoo_embedder(name, **parameters, **own)
            continue
        if name == "triplet-center" and negatives is not None:
            own["negatives"] = negatives
        methods[name] = _EMBEDDERS[name](**parameters, **own)
    return methods


def pca_baseline(n_components: int = 100, random_state: int | None = None) -> Pipeline:
    """PCA on pixels: what a method must beat to be worth training.

    Parameters
    ----------
    n_components : int, default=100
        Components to keep, fewer if there are not so many images.
    random_state : int, optional
        Seed of the randomized solver.

    Returns
    -------
    Pipeline
        A transformer of images (n, height, width[, 3]).

    See Also
    --------
    make_methods : All methods by name.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import pca_baseline
    >>> faces = make_expressions(2, 1, random_state=0)
    >>> pca_baseline(5).fit_transform(faces.images).shape
    (16, 5)
    """
    n_components = check_int(n_components, "n_components", at_least=1)
    check_seed(random_state, optional=True)
    return make_pipeline(FunctionTransformer(flat), CappedPCA(n_components, random_state))


def flat(X: NDArray[Any]) -> NDArray[Any]:
    """Images as rows of pixels."""
    return X.reshape(len(X), -1)


class CappedPCA(TransformerMixin, BaseEstimator):
    """PCA with as many components as asked for, or as there are samples or features."""

    def __init__(self, n_components: int, random_state: int | None = None) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: Any = None):
        """Fit to rows X; y is not used."""
        n = min(self.n_components, *X.shape)
        self.pca_ = PCA(n, random_state=self.random_state).fit(X)
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Project rows X."""
        return self.pca_.transform(X)
