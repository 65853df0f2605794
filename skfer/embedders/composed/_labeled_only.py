"""A classifier behind an embedder, that learns from the samples that have a label alone."""

from typing import Any, Self

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, check_is_fitted

from skfer._typing import NDArray
from skfer.embedders.samples._labels import check_y, labeled
from skfer.validation import leave_out_unlabeled, refusal


def _has(name: str) -> Any:
    """Return the condition that the wrapped estimator has a method."""
    return available_if(
        lambda self: getattr(getattr(self, "estimator_", self.estimator), name) is not None
    )


class LabeledOnly(MetaEstimatorMixin, BaseEstimator):
    """Let a classifier in a pipeline learn from labeled samples alone.

    A pipeline passes one y to all of its steps. Where some samples have no label (y == -1, see
    :class:`~skfer.GaussianMetricEmbedder`) a classifier behind the embedder would take -1 for one
    more class. So wrapped it does not see them.

    Parameters
    ----------
    estimator : classifier
        What learns from the labeled samples; it is cloned. The wrapper has its methods.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one.
    classes_ : ndarray of shape (n_classes,)
        Its classes.

    See Also
    --------
    WithLabels : Lets an embedder learn from another target.
    skfer.model_selection.SemiSupervisedSplit : Folds in which such samples are trained on alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfer import GaussianMetricEmbedder
    >>> from skfer.datasets import make_expressions
    >>> from skfer.embedders import LabeledOnly
    >>> faces = make_expressions(4, 1, classes=["fear", "happiness"], image_size=24, random_state=0)
    >>> y = np.where(faces.groups < 2, faces.target, -1)
    >>> model = make_pipeline(
    ...     GaussianMetricEmbedder(max_epochs=1, random_state=0),
    ...     LabeledOnly(KNeighborsClassifier(3)),
    ... )
    >>> model.fit(faces.images, y).classes_.tolist()
    [3, 4]
    """

    accepts_unlabeled = True
    estimator_: Any

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, **params: Any) -> Self:
        """Fit the classifier to the samples that have a label.

        Parameters
        ----------
        X : array-like
            What the classifier takes.
        y : array-like of shape (n,)
            Labels; -1 beside at least two others, None and NaN stand for none.
        **params : dict
            Given to the classifier, such as ``sample_weight``; of what has a value for each sample,
            those of the labeled ones. With metadata routing, what it requests.

        Returns
        -------
        self : object
            The fitted wrapper.

        Raises
        ------
        ValueError
            If y is no column of labels, or has none.
        """
        (X,) = indexable(X)
        y = check_y(y, X, allow_unlabeled=True, name=type(self).__name__)
        rows = leave_out_unlabeled(y)
        if not len(rows):
            raise refusal("y", "has no labels: give some.")
        _, labels = labeled(y[rows], y[rows])  # of a plain type; -1 beside one other is a class
        given = _check_method_params(X, self._routed("fit", params), indices=rows)
        self.estimator_ = clone(self.estimator).fit(_safe_indexing(X, rows), labels, **given)
        return self

    @_has("predict")
    def predict(self, X: Any) -> NDArray[Any]:
        """Predict as the classifier does.

        Parameters
        ----------
        X : array-like
            What the classifier takes.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        return self._fitted().predict(X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probabilities of the classes, by the classifier.

        Parameters
        ----------
        X : array-like
            What the classifier takes.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Rows sum to 1.
        """
        return self._fitted().predict_proba(X)

    @_has("predict_log_proba")
    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Return the logarithms of the probabilities, by the classifier.

        Parameters
        ----------
        X : array-like
            What the classifier takes.

        Returns
        -------
        ndarray of shape (n, n_classes)
            At most 0.
        """
        return self._fitted().predict_log_proba(X)

    @_has("decision_function")
    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return what the classifier decides by.

        Parameters
        ----------
        X : array-like
            What the classifier takes.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            Larger for what is more like a class.
        """
        return self._fitted().decision_function(X)

    @_has("score")
    def score(self, X: Any, y: Any, **params: Any) -> float:
        """Return the score of the classifier on the samples that have a label.

        Parameters
        ----------
        X : array-like
            What the classifier takes.
        y : array-like of shape (n,)
            Labels, as `fit` takes them.
        **params : dict
            Given to the classifier, as in `fit`.

        Returns
        -------
        float
            The mean accuracy.
        """
        fitted = self._fitted()
        (X,) = indexable(X)
        y = check_y(y, X, allow_unlabeled=True, name=type(self).__name__)
        rows, labels = labeled(y, fitted.classes_)
        given = _check_method_params(X, self._routed("score", params), indices=rows)
        return fitted.score(_safe_indexing(X, rows), labels, **given)

    def _routed(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if not get_config()["enable_metadata_routing"]:
            return params
        return process_routing(self, method, **params).estimator[method]

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what the classifier requests.

        Returns
        -------
        MetadataRouter
            Of `fit` and `score`.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping.add(caller="score", callee="score")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return self.estimator_

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes, in the order of the columns of ``predict_proba``."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        """Number of values of one input."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns of X, if it was a data frame with string names."""
        return self.estimator_.feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = get_tags(self.estimator)
        tags.transformer_tags = None  # LinearDiscriminantAnalysis is a transformer too
        return tags
