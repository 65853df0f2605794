"""The published settings of the three methods."""

import numpy as np
import pytest
from sklearn.base import clone

import skfer
from skfer import GaussianMetricEmbedder, MultiThresholdEmbedder, TripletCenterEmbedder
from skfer.losses import max_threshold

pytestmark = pytest.mark.filterwarnings("ignore::skfer.EmbeddingCollapseWarning")
PAPERS = [GaussianMetricEmbedder, MultiThresholdEmbedder, TripletCenterEmbedder]


@pytest.mark.parametrize("cls", PAPERS)
def test_it_is_an_embedder_like_others(cls, rows):
    model = cls.from_paper(max_epochs=1, embedding_dim=16, image_size=None, random_state=3)
    assert type(model) is cls
    assert (model.random_state, model.embedding_dim) == (3, 16)
    assert not model.standardize_embedding
    assert clone(model).get_params() == model.get_params()
    assert np.isfinite(model.fit(*rows).transform(rows[0])).all()


@pytest.mark.parametrize("cls", PAPERS)
def test_subclasses_stay_what_they_are(cls):
    class Mine(cls):
        pass

    assert type(Mine.from_paper()) is Mine


@pytest.mark.parametrize("n_classes", [2, 7, 8])
@pytest.mark.parametrize("n", [1, 2, 8, 16])
def test_thresholds_sample_the_valid_range(n_classes, n, rows):
    settings = {"max_epochs": 1, "embedding_dim": 16, "image_size": None, "random_state": 0}
    more = {} if n == 8 else {"n_thresholds": n}
    model = MultiThresholdEmbedder.from_paper(n_classes, **more, **settings).fit(*rows)
    top = max_threshold(n_classes)
    np.testing.assert_allclose(model.thresholds_, top / n * np.arange(1, n + 1))


def test_another_number_and_range_can_be_searched():
    """What is set afterwards is not overridden in silence."""
    model = MultiThresholdEmbedder.from_paper().set_params(n_thresholds=2)
    assert model.thresholds is None
    assert model.set_params(threshold_range=(0.1, 0.5)).get_params()["n_thresholds"] == 2


def test_thresholds_of_another_number_or_range(rows):
    X, y = rows
    settings = {"max_epochs": 1, "embedding_dim": 16, "image_size": None, "random_state": 0}
    model = MultiThresholdEmbedder.from_paper(3, n_thresholds=4, **settings).fit(X, y)
    np.testing.assert_allclose(model.thresholds_, max_threshold(3) / 4 * np.arange(1, 5))
    model = MultiThresholdEmbedder.from_paper(3, threshold_range=(0.1, 0.8), **settings).fit(X, y)
    np.testing.assert_allclose(model.thresholds_, np.arange(1, 9) / 10)
    model = MultiThresholdEmbedder.from_paper(3, n_thresholds=4, thresholds=[0.5, 1], **settings)
    np.testing.assert_allclose(model.fit(X, y).thresholds_, [0.5, 1])
    with pytest.raises(ValueError, match="n_thresholds"):
        MultiThresholdEmbedder.from_paper(3, n_thresholds="4", **settings).fit(X, y)


def test_what_is_given_replaces_what_was_published():
    assert TripletCenterEmbedder.from_paper("prediction").negatives == "prediction"
    assert GaussianMetricEmbedder.from_paper(mixup=None, lr=1.0).get_params()["mixup"] is None
    with pytest.raises(TypeError):
        skfer.GaussianMetricEmbedder.from_paper(sigmma=1)


def test_images_of_another_size_are_told_the_way_out():
    images, y = np.zeros((8, 48, 48), dtype=np.uint8), np.arange(8) % 2
    told = r"shape \(48, 48\), but image_size=\(64, 64\): bring them to it, or give image_size=None"
    with pytest.raises(ValueError, match=told):
        GaussianMetricEmbedder.from_paper(max_epochs=1).fit(images, y)
