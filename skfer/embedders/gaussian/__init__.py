"""The Gaussian embedder and its parts."""

from skfer.embedders.gaussian._embedder import GaussianMetricEmbedder

__all__ = ["GaussianMetricEmbedder"]
