"""Metric-learning losses, torch modules called as (embeddings, labels)."""

from skfer.losses.gaussian import GaussianMetricLoss, mixup, mixup_within_classes
from skfer.losses.multi_threshold import (
    MultiThresholdTripletLoss,
    max_threshold,
    normalize_slices,
    slice_thresholds,
)
from skfer.losses.triplet import triplet_hinges
from skfer.losses.triplet_center import TripletCenterLoss, negative_indices

__all__ = [
    "GaussianMetricLoss",
    "MultiThresholdTripletLoss",
    "TripletCenterLoss",
    "max_threshold",
    "mixup",
    "mixup_within_classes",
    "negative_indices",
    "normalize_slices",
    "slice_thresholds",
    "triplet_hinges",
]
