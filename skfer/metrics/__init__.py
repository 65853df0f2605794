"""Measures of an embedding, and the same as scorers."""

from skfer.metrics._calibration import expected_calibration_error
from skfer.metrics._clustering import clustering_nmi
from skfer.metrics._retrieval import (
    mean_average_precision_at_r,
    precision_at_k,
    recall_at_k,
)
from skfer.metrics._scorers import EmbeddingScorer, make_embedding_scorer

__all__ = [
    "EmbeddingScorer",
    "clustering_nmi",
    "expected_calibration_error",
    "make_embedding_scorer",
    "mean_average_precision_at_r",
    "precision_at_k",
    "recall_at_k",
]
