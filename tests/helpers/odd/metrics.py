"""The measures."""

import numpy as np
from sklearn.decomposition import PCA

from helpers.odd import Call
from skfer.metrics import (
    EmbeddingScorer,
    clustering_nmi,
    expected_calibration_error,
    make_embedding_scorer,
    mean_average_precision_at_r,
    precision_at_k,
    recall_at_k,
)

Z = np.array([[0.0, 1.0], [2.0, 1.0], [0.5, 0.0], [2.0, 0.5]])
Y = [0, 1, 0, 1]
RETRIEVAL = {
    "embeddings": Z,
    "labels": Y,
    "groups": ["a", "b", "c", "d"],
    "reference_embeddings": Z + 0.1,
    "reference_labels": Y,
    "reference_groups": ["e", "f", "g", "h"],
    "chunk_size": 2,
    "verbose": 0,
}


def score(**arguments):
    return EmbeddingScorer(**arguments)(PCA(1).fit(Z), Z, Y)


def score_by(metric, **_):
    return make_embedding_scorer(metric)(PCA(1).fit(Z), Z, Y)


CALLS = {
    "clustering_nmi": Call(
        clustering_nmi, embeddings=Z, labels=Y, n_clusters=2, n_init=1, random_state=0
    ),
    "expected_calibration_error": Call(
        expected_calibration_error, y_true=Y, y_proba=np.eye(2)[Y], labels=[0, 1], n_bins=3
    ),
    "recall_at_k": Call(recall_at_k, **RETRIEVAL, k=2),
    "precision_at_k": Call(precision_at_k, **RETRIEVAL, k=[1, 2]),
    "mean_average_precision_at_r": Call(mean_average_precision_at_r, **RETRIEVAL),
    "make_embedding_scorer": Call(score_by, make_embedding_scorer, metric=recall_at_k),
    "EmbeddingScorer": Call(score, EmbeddingScorer, metric=recall_at_k, params={"k": 2}),
}
