"""Measures of an embedding, and the same as scorers."""

from skfer.metrics._calibration import expected_calibration_error
from skfer.metrics._clustering import clustering_nmi
from skfer.metrics._retrieval import (
    mean_average_precision_at_r,
    precision_at_k,
    recall_at_k,
)
from skfer.metrics._scorers import (
    EmbeddingScorer,
    clustering_nmi_scorer,
    mean_average_precision_at_r_scorer,
    precision_at_k_scorer,
    recall_at_k_scorer,
)

__all__ = [
    "EmbeddingScorer",
    "clustering_nmi",
    "clustering_nmi_scorer",
    "expected_calibration_error",
    "mean_average_precision_at_r",
    "mean_average_precision_at_r_scorer",
    "precision_at_k",
    "precision_at_k_scorer",
    "recall_at_k",
    "recall_at_k_scorer",
]
