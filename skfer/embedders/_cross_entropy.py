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
    augmentation, schedule. ``transform`` returns the input of the last linear layer, as
    directions from its mean.

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
    MultiThresholdEmbedder : The one to start with.
    MetricLossEmbedder : The same network with any loss.

    Examples
    --------
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> model = CrossEntropyEmbedder(max_epochs=5, random_state=0)
    >>> model.fit(faces.images, faces.target).transform(faces.images).shape
    (48, 128)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "classification_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def make_objective(self) -> Objective:
        """Return cross-entropy alone."""
        return Objective(None, self.classification_weight)
