"""Facial expression recognition by deep metric learning, as scikit-learn estimators."""

__version__ = "0.1.0"

from skfer.embedders import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.exceptions import EmbeddingCollapseWarning, InconsistentVersionWarning

__all__ = [
    "CrossEntropyEmbedder",
    "EmbeddingCollapseWarning",
    "GaussianMetricEmbedder",
    "InconsistentVersionWarning",
    "MultiThresholdEmbedder",
    "TripletCenterEmbedder",
    "__version__",
]
