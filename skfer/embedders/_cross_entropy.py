"""The baseline: the same network, trained by cross-entropy alone."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skfer.embedders._classifier import ClassifierEmbedder
from skfer.embedders._docs import with_shared_docs
from skfer.embedders.base import BaseEmbedder
from skfer.training import Objective


@with_shared_docs
class CrossEntropyEmbedder(ClassifierEmbedder):
    """Embed faces by a network that was trained as a classifier: the baseline to beat.

    Everything except the loss is the same as in the metric embedders: network, batches,
    augmentation, schedule. ``transform`` returns the input of the last linear layer.

    Parameters
    ----------
    embedding_dim : int, default=128
        Length of the embedding.
    <shared parameters>

    Attributes
    ----------
    <shared attributes>

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skfer import CrossEntropyEmbedder
    >>> X, y = load_iris(return_X_y=True)
    >>> CrossEntropyEmbedder(random_state=0).fit(X, y).transform(X).shape
    (150, 128)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "classification_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def make_objective(self) -> Objective:
        """Return cross-entropy alone."""
        return Objective(None, self.classification_weight)
