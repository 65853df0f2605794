"""What tells one fit from another."""

from skfer.embedders.state._digest import TrainingDigest


def key(value):
    """Return the name of a fit that has a value among its settings."""
    digest = TrainingDigest()
    digest.add(value)
    return digest.hexdigest()
