"""What may be chosen by name, for who offers the choice without wanting to import all of it."""

PROTOCOLS = ("group-fold", "subject-10fold", "leave-one-subject-out", "official")
"""Subjects apart; ten folds of subjects in order; one subject a fold; the owners' own."""

CLASSIFIERS = ("knn", "svm")
"""What may follow an embedder: 5 nearest neighbors, or a support vector machine."""

METHODS = ("pca", "cross-entropy", "multi-threshold", "triplet-center", "gaussian")
"""What can be compared: two baselines, and the embedders."""

STYLES = ("text", "markdown", "latex", "csv")
"""How tables are written."""
