"""Rows of a few blobs."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def blobs():
    """Two classes of two blobs each and one of a single blob: rows, classes, blobs."""
    rng = np.random.RandomState(0)
    blob = np.repeat(np.arange(5), 60)
    centers = rng.normal(size=(5, 6)) * 5
    X = centers[blob] + rng.normal(size=(300, 6))
    return X, np.array(["calm", "glad", "sad"])[np.array([0, 1, 1, 2, 2])[blob]], blob
