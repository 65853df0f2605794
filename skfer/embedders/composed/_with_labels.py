"""An embedder that learns from labels beside the target of the pipeline it is in."""

from typing import Any, Self

from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.validation import check_same_length


class WithLabels(TransformerMixin, MetaEstimatorMixin, BaseEstimator):
    """Let an embedder learn from classes where the target y is something else.

    A pipeline passes one y to all of its steps. To predict a degree (valence, arousal, intensity)
    from an embedding that was learned from classes, wrap the embedder: the classes are given as
    ``labels``, which scikit-learn routes beside y through pipelines, cross-validation and searches.

    Parameters
    ----------
    embedder : transformer
        What learns from the labels; it is cloned.

    Attributes
    ----------
    embedder_ : transformer
        The fitted embedder.

    See Also
    --------
    skfer.datasets.make_expressions : Faces with degrees of expression.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.datasets import make_expressions
    >>> from skfer.embedders import WithLabels
    >>> faces = make_expressions(4, 1, image_size=24, random_state=0)
    >>> embedder = CrossEntropyEmbedder(max_epochs=1, backbone="scratch", random_state=0)
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     learner = WithLabels(embedder).set_fit_request(labels=True)
    ...     model = make_pipeline(learner, KNeighborsRegressor())
    ...     model = model.fit(faces.images, faces.intensity, labels=faces.target)
    ...     scores = cross_validate(
    ...         model, faces.images, faces.intensity, params={"labels": faces.target}, cv=2
    ...     )
    >>> model.predict(faces.images[:3]).shape, scores["test_score"].shape
    ((3,), (2,))
    """

    embedder_: Any

    def __init__(self, embedder: Any) -> None:
        self.embedder = embedder

    def fit(
        self, X: Any, y: Any = None, labels: Any = None, groups: Any = None, votes: Any = None
    ) -> Self:
        """Fit the embedder to the labels.

        Parameters
        ----------
        X : array-like
            What the embedder takes.
        y : array-like, default=None
            The target of the steps to come. It stands for the labels where these are not given.
        labels : array-like of shape (n,), default=None
            The classes that the embedder learns from.
        groups, votes : array-like, default=None
            Given to the embedder, if they are given.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ArgumentError
            If there is not one label for each sample, or if there are no labels and y, which stands
            for them, holds no classes.
        """
        if labels is not None:
            check_same_length(X=X, labels=labels)
        given = {"groups": groups, "votes": votes}
        given = {name: value for name, value in given.items() if value is not None}
        embedder = clone(self.embedder)
        if labels is None:
            self.embedder_ = _fit_to_target(embedder, X, y, given)
        else:
            self.embedder_ = embedder.fit(X, labels, **given)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Embed X.

        Parameters
        ----------
        X : array-like
            What the embedder takes.

        Returns
        -------
        ndarray of shape (n, embedding_dim)
            The embedding.
        """
        check_is_fitted(self)
        return self.embedder_.transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the output columns, those of the embedder.

        Parameters
        ----------
        input_features : object
            Given to the embedder.

        Returns
        -------
        ndarray of str of shape (embedding_dim,)
            The names.
        """
        check_is_fitted(self)
        return self.embedder_.get_feature_names_out(input_features)

    @property
    def n_features_in_(self) -> int:
        """Number of values of one input."""
        return self.embedder_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns of X, if it was a data frame with string names."""
        return self.embedder_.feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "embedder_")

    def __sklearn_tags__(self) -> Any:
        tags, own = get_tags(self.embedder), super().__sklearn_tags__()
        tags.estimator_type = own.estimator_type
        tags.classifier_tags, tags.transformer_tags = None, own.transformer_tags
        tags.transformer_tags.preserves_dtype = []
        return tags


def _fit_to_target(embedder: Any, X: Any, y: Any, given: dict[str, Any]) -> Any:
    """Fit to the target of the steps to come, which may be degrees where labels were forgotten."""
    try:
        return embedder.fit(X, y, **given)
    except ValueError as error:
        if not str(error).startswith("Unknown label type"):  # as scikit-learn says it
            raise
        raise ArgumentError(
            "{labels} is missing, and {y}, which stands for it, holds no classes: give the classes "
            "to learn from as {labels}=."
        ) from error
