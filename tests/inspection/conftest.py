"""Figures that nobody sees, drawn faces, and models fitted on them once."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.pictures import assert_as_kept

import skfer
from skfer.datasets import make_expressions

mpl.use("agg")


@pytest.fixture(autouse=True)
def own_figures():
    """matplotlib's own settings, and no figure left open."""
    with mpl.rc_context():
        mpl.rcdefaults()
        yield
        plt.close("all")


@pytest.fixture
def as_kept(tmp_path):
    """Compare a figure with the kept picture of a name."""
    return lambda figure, name: assert_as_kept(figure, name, tmp_path)


@pytest.fixture(scope="session")
def faces():
    """Drawn faces of four expressions and eight persons, with the parts of each."""
    return make_expressions(
        8,
        2,
        image_size=24,
        classes=["anger", "happiness", "neutral", "surprise"],
        random_state=0,
        return_parts=True,
    )


@pytest.fixture(scope="session")
def rows():
    """Forty rows of five features in three classes, by names."""
    codes = np.arange(40) % 3
    X = np.random.RandomState(0).normal(size=(40, 5)) + np.eye(5)[codes] * 3
    return X, np.array(["joy", "rage", "awe"])[codes]


def _fitted(cls, faces, **options):
    settings = {"embedding_dim": 16, "max_epochs": 2, "samples_per_class": 4, "random_state": 0}
    return cls(**settings | options).fit(faces.images, faces.target)


@pytest.fixture(scope="session")
def multi_threshold(faces):
    """A fitted embedder that does not predict."""
    return _fitted(skfer.MultiThresholdEmbedder, faces, n_thresholds=4)


@pytest.fixture(scope="session")
def triplet_center(faces):
    """A fitted embedder with attention, which predicts."""
    return _fitted(skfer.TripletCenterEmbedder, faces)


@pytest.fixture(scope="session")
def gaussian(faces):
    """A fitted embedder with Gaussians, which predicts."""
    return _fitted(skfer.GaussianMetricEmbedder, faces)


@pytest.fixture(scope="session")
def blobs():
    """Rows around five centers, which make three classes: X, words, the center of each."""
    rng = np.random.RandomState(0)
    blob = np.repeat(np.arange(5), 60)
    X = (rng.normal(size=(5, 6)) * 5)[blob] + rng.normal(size=(300, 6))
    return X, np.array(["calm", "glad", "glad", "sad", "sad"])[blob], blob


@pytest.fixture(scope="session")
def gaussian_subclasses(blobs):
    """An embedder that has found the two sub-classes of two classes."""
    X, y, _ = blobs
    settings = {"embedding_dim": 8, "max_epochs": 12, "max_subclasses": 2, "random_state": 0}
    return skfer.GaussianMetricEmbedder(**settings).fit(X, y)
