"""What a fitted Gaussian embedder answers."""

from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skfer._typing import NDArray
from skfer.embedders._classifier import ClassifierEmbedder
from skfer.embedders._heads import MixtureHead
from skfer.embedders.gaussian._mixture import Mixture, class_joint, likeliest_component
from skfer.embedders.samples._labels import encode
from skfer.embedders.state._snapshots import on_snapshot
from skfer.validation import UNLABELED, check_labels


class MixtureClassifier(ClassifierEmbedder):
    """Predicts by Gaussians of the (sub-)classes, which a subclass has fitted."""

    means_: NDArray[Any]
    covariances_: NDArray[Any]
    weights_: NDArray[np.float64]
    temperature_: float
    _component_classes: NDArray[np.intp]
    _covariance_type: str

    @on_snapshot
    def class_scores(self, X: Any) -> NDArray[np.float64]:
        """Return the log density of every class, with its prior, divided by the temperature.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of ``classes_``; ``predict_proba`` is its softmax. A class has the sum of
            the densities of its Gaussians.
        """
        joint = class_joint(self._log_joint(X), self._component_classes, len(self.classes_))
        return joint / self._temperature()

    def make_head(self) -> nn.Module:
        """Return the same as a module, for other runtimes.

        Returns
        -------
        nn.Module
            From the embedding (n, embedding_dim) to the scores (n, n_classes), in double precision.
        """
        check_is_fitted(self)
        whitening, log_weights = self._mixture().whitening()
        return MixtureHead(
            self.means_,
            whitening,
            log_weights,
            self._component_classes,
            len(self.classes_),
            self._temperature(),
        )

    @on_snapshot
    def predict_subclass(self, X: Any, y: Any = None) -> NDArray[np.intp]:
        """Return the likeliest sub-class.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.
        y : array-like of shape (n,), default=None
            The classes, where they are known: the answer is among their sub-classes.

        Returns
        -------
        ndarray of shape (n,)
            Rows of ``means_``; ``subclass_to_class_`` has the class of each.

        Raises
        ------
        ValueError
            If y holds other labels than ``classes_``, or not one for each row of X.
        """
        joint = self._log_joint(X)
        codes = np.full(len(joint), UNLABELED)
        if y is not None:
            y = check_labels(y, n_samples=len(joint), allow_unlabeled=True)
            codes = encode(y, self.classes_, hint="give one of them, or -1 where it is unknown.")
        return likeliest_component(joint, self._component_classes, codes)

    @on_snapshot
    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return the log density of the whole mixture: low for faces unlike those of any class.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Log densities, of what ``transform`` gives: mostly directions. What is no face at all
            may be told better by its length too (``normalize_embedding=False``).
        """
        return logsumexp(self._log_joint(X), axis=1)

    def _log_joint(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        return self._mixture().log_joint(self._embedded(X))

    def _temperature(self) -> float:
        # Models that were kept before there was one answer as they did.
        return getattr(self, "temperature_", 1.0)

    def _mixture(self) -> Mixture:
        return Mixture(self.means_, self.covariances_, self.weights_, self._covariance_type)
