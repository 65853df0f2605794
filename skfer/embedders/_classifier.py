"""The base of embedders that are also classifiers, as LinearDiscriminantAnalysis is."""

from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from torch import nn

from skfer._typing import NDArray
from skfer.embedders._docs import with_shared_docs
from skfer.embedders._heads import LogitsHead, MeansHead
from skfer.embedders.base import BaseEmbedder
from skfer.embedders.samples._labels import check_y, labeled
from skfer.embedders.state._snapshots import on_snapshot
from skfer.training import TrainingData
from skfer.validation import refusal


@with_shared_docs
class ClassifierEmbedder(ClassifierMixin, BaseEmbedder):
    """Base of the embedders that also predict.

    They predict by the linear classifier on the embedding where it is trained
    (`classification_weight` above 0). Without one they predict by the class means of the embedded
    training set: each class is a Gaussian around its mean, all with the same variance in every
    coordinate, and the classes are equally probable. A subclass may define :meth:`class_scores`
    anew, with :meth:`make_head` for other runtimes. One that overrides :meth:`finish_training`
    calls this one there. See :ref:`own_embedder` for an embedder of your own.

    Parameters
    ----------
    embedding_dim : int, default=128
        Length of the embedding.
    <shared parameters>

    Attributes
    ----------
    <shared attributes>

    See Also
    --------
    BaseEmbedder : Base of embedders that do not predict.
    MetricLossEmbedder : Takes any loss as it is.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.embedders import ClassifierEmbedder
    >>> from skfer.losses import GaussianMetricLoss
    >>> from skfer.training import Objective
    >>> class PlainGaussianEmbedder(ClassifierEmbedder):
    ...     def make_objective(self):
    ...         return Objective(GaussianMetricLoss(), self.classification_weight)
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> model = PlainGaussianEmbedder(max_epochs=5, random_state=0)
    >>> model.fit(faces.images, faces.target).predict(faces.images).shape
    (48,)
    """

    _class_sums: NDArray[np.float64]
    _class_counts: NDArray[np.intp]
    _squares: float

    @on_snapshot
    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels, of the kind given to ``fit``.
        """
        check_is_fitted(self)
        return self.classes_[self.class_scores(X).argmax(axis=1)]

    @on_snapshot
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every class.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Rows sum to 1; columns are in the order of ``classes_``.
        """
        check_is_fitted(self)
        return softmax(self.class_scores(X), axis=1)

    @on_snapshot
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of the probability of every class.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The logarithm of what ``predict_proba`` returns, also where that is too small for a
            float; minus infinity for a class of which nothing is known yet.

        Examples
        --------
        >>> from skfer import CrossEntropyEmbedder
        >>> from skfer.datasets import make_expressions
        >>> faces = make_expressions(4, 1, image_size=16, random_state=0)
        >>> model = CrossEntropyEmbedder(max_epochs=1, backbone="scratch", random_state=0)
        >>> model = model.fit(faces.images, faces.target)
        >>> bool(model.predict_log_proba(faces.images).max() < 0)
        True
        """
        check_is_fitted(self)
        return log_softmax(self.class_scores(X), axis=1)

    @on_snapshot
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the scores of the classes, whose softmax is ``predict_proba``.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes), or (n,) for two classes
            One score a class; for two classes the second's less the first's.
        """
        check_is_fitted(self)
        scores = self.class_scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    @on_snapshot
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of samples whose predicted class is their label.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.
        y : array-like of shape (n,)
            Labels. Samples without one (None, NaN, and -1 where it is no class) are left out.
        sample_weight : array-like of shape (n,), default=None
            How much each sample counts.

        Returns
        -------
        float
            Accuracy, from 0 to 1.

        Raises
        ------
        ValueError
            If no sample has a label, or lengths differ.
        """
        check_is_fitted(self)
        labels = check_y(y, X, allow_unlabeled=True, name=type(self).__name__)
        check_consistent_length(labels, sample_weight)
        known, labels = labeled(labels, self.classes_)
        if not len(known):
            raise refusal("y", "has no sample with a label, so that nothing can be scored.")
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        return accuracy_score(labels, self.predict(X)[known], sample_weight=weights)

    @on_snapshot
    def class_scores(self, X: Any) -> NDArray[np.float64]:
        """Return log probabilities of the classes, up to a constant of each row.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The logits of the classifier, or what the class means say.
        """
        if self.net_.module_.classify is None:
            return self._scores_of_means(self._embedded(X).astype(np.float64))
        logits = [
            output.logits.cpu().numpy()  # type: ignore[union-attr]
            for output in self.network_outputs(X)
        ]
        return np.concatenate(logits).astype(np.float64)

    def make_head(self) -> nn.Module:
        """Return the same as a module, for other runtimes.

        Returns
        -------
        nn.Module
            From the embedding (n, n_features) and the logits of the network, or None, to the
            scores (n, n_classes), in double precision.
        """
        check_is_fitted(self)
        if self.net_.module_.classify is not None:
            return LogitsHead()
        return MeansHead(*self._means_and_variance(), self._class_counts > 0)

    def finish_training(self, data: TrainingData) -> None:
        """Set the class means, if it takes them to predict."""
        if self.net_.module_.classify is not None:
            return
        if not (data.partial and hasattr(self, "_class_sums")):
            shape = (len(self.classes_), self._n_features_out)
            self._class_sums, self._squares = np.zeros(shape), 0.0
            self._class_counts = np.zeros(len(self.classes_), dtype=np.intp)
        for rows, output in self._run(data.source):
            codes = data.codes[rows]
            points = self.features_of(output.embedding).double().cpu().numpy()
            known = codes >= 0
            sums = self._class_sums.copy()
            np.add.at(sums, codes[known], points[known])
            self._class_sums = sums
            counts = np.bincount(codes[known], minlength=len(self.classes_))
            self._class_counts = self._class_counts + counts
            self._squares += float(np.square(points[known]).sum())

    def _scores_of_means(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        means, variance = self._means_and_variance()
        squared = np.square(points[:, None] - means[None]).sum(axis=2)
        return np.where(self._class_counts > 0, -squared / (2 * variance), -np.inf)

    def _means_and_variance(self) -> tuple[NDArray[np.float64], float]:
        counts = np.maximum(self._class_counts, 1)
        means = self._class_sums / counts[:, None]
        within = self._squares - float((counts * np.square(means).sum(axis=1)).sum())
        n_numbers = max(1, (self._class_counts.sum() - len(means)) * means.shape[1])
        return means, max(within / n_numbers, float(np.finfo(np.float32).eps))
