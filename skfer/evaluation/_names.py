"""What may be chosen by name, for callers that offer the choice without importing it all."""

PROTOCOLS = ("group-fold", "subject-10fold", "leave-one-subject-out", "official")
"""Subjects apart; ten folds of subjects in order; one subject a fold; the published split."""

CLASSIFIERS = ("knn", "svm", "logistic", "own")
"""What predicts: 5 nearest neighbors, a support vector machine or logistic regression on the
embedding, or the embedder's own posterior."""

EMBEDDERS = ("cross-entropy", "multi-threshold", "triplet-center", "gaussian")
"""The embedders by name."""

METHODS = ("pca", *EMBEDDERS)
"""What can be compared: the embedders, and PCA on pixels as a baseline."""

LOSSES = (
    "contrastive",
    "triplet",
    "lifted-structure",
    "n-pairs",
    "multi-similarity",
    "circle",
    "supcon",
    "proxy-nca",
    "proxy-anchor",
    "soft-triple",
    "arcface",
    "cosface",
)
"""The best-known metric losses, to be compared with the methods: those of pytorch-metric-learning,
an extra, with its settings."""

REFERENCE = "cross-entropy"
"""What methods are compared with, if it is among them."""

STYLES = ("text", "markdown", "latex", "csv")
"""How tables are written."""
