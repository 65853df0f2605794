"""Pictures of an embedding, as scikit-learn's Displays: arrays in, matplotlib out."""

from skfer.inspection._embedding import EmbeddingDisplay

__all__ = ["EmbeddingDisplay"]
