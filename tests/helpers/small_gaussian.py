"""A Gaussian embedder that is fitted in no time."""

from skfer import GaussianMetricEmbedder


def small_gaussian(**kwargs):
    """Return one for rows of a few features."""
    return GaussianMetricEmbedder(
        **{"embedding_dim": 8, "max_epochs": 4, "random_state": 0, **kwargs}
    )
