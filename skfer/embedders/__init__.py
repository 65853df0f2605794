"""The embedders, as scikit-learn estimators."""

from skfer.embedders._cross_entropy import CrossEntropyEmbedder
from skfer.embedders._multi_threshold import MultiThresholdEmbedder
from skfer.embedders._triplet_center import TripletCenterEmbedder
from skfer.embedders.gaussian._embedder import GaussianMetricEmbedder

__all__ = [
    "CrossEntropyEmbedder",
    "GaussianMetricEmbedder",
    "MultiThresholdEmbedder",
    "TripletCenterEmbedder",
]
