"""Warnings that skfer gives."""

from sklearn.exceptions import ConvergenceWarning

__all__ = ["EmbeddingCollapseWarning", "InconsistentVersionWarning"]


class EmbeddingCollapseWarning(ConvergenceWarning):
    """The embedding carries no information: all images lie (nearly) in one place.

    Given at the end of ``fit`` when the embeddings coincide or when the loss never left the
    value that coinciding embeddings have.
    """


class InconsistentVersionWarning(UserWarning):
    """A pickled embedder comes from another version of skfer."""
