"""The embedders, as scikit-learn estimators, and the bases for one of your own."""

from skfer.embedders._classifier import ClassifierEmbedder
from skfer.embedders._cross_entropy import CrossEntropyEmbedder
from skfer.embedders._multi_threshold import MultiThresholdEmbedder
from skfer.embedders._triplet_center import TripletCenterEmbedder
from skfer.embedders.any_loss._embedder import MetricLossEmbedder
from skfer.embedders.base import BaseEmbedder
from skfer.embedders.composed._labeled_only import LabeledOnly
from skfer.embedders.composed._with_labels import WithLabels
from skfer.embedders.gaussian import GaussianMetricEmbedder

__all__ = [
    "BaseEmbedder",
    "ClassifierEmbedder",
    "CrossEntropyEmbedder",
    "GaussianMetricEmbedder",
    "LabeledOnly",
    "MetricLossEmbedder",
    "MultiThresholdEmbedder",
    "TripletCenterEmbedder",
    "WithLabels",
]
