"""The embedders, as scikit-learn estimators."""

from skfer.embedders._cross_entropy import CrossEntropyEmbedder
from skfer.embedders._gaussian import GaussianMetricEmbedder
from skfer.embedders._multi_threshold import MultiThresholdEmbedder
from skfer.embedders._triplet_center import TripletCenterEmbedder

__all__ = [
    "CrossEntropyEmbedder",
    "GaussianMetricEmbedder",
    "MultiThresholdEmbedder",
    "TripletCenterEmbedder",
]
