"""The base of embedders that are also classifiers, as LinearDiscriminantAnalysis is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skfer.embedders.base import BaseEmbedder


class ClassifierEmbedder(ClassifierMixin, BaseEmbedder):
    """Base of the embedders that also predict; a subclass defines ``predict_proba``."""

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every class, shape (n, n_classes), as in ``classes_``."""
        raise NotImplementedError

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
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
