"""What can be compared, by name."""

import sys

import numpy as np
import pytest

from skfer import GaussianMetricEmbedder, MetricLossEmbedder
from skfer.evaluation import LOSSES, METHODS, _losses_by_name, make_methods, pca_baseline
from skfer.evaluation._finished_fits import describe
from skfer.exceptions import ArgumentError


def test_all_by_default_with_the_parameters_given():
    methods = make_methods(random_state=3, negatives="nearest", max_epochs=2)
    assert tuple(methods) == METHODS
    assert methods["pca"][-1].random_state == 3
    assert methods["triplet-center"].negatives == "nearest"
    embedders = [methods[name] for name in METHODS[1:]]
    assert {(e.max_epochs, e.random_state) for e in embedders} == {(2, 3)}


def test_negatives_are_the_embedders_own_by_default():
    methods = make_methods(["gaussian", "triplet-center"])
    assert type(methods["gaussian"]) is GaussianMetricEmbedder
    default = type(methods["triplet-center"])().negatives
    assert methods["triplet-center"].negatives == default


@pytest.mark.parametrize("name", LOSSES)
def test_the_best_known_losses_train(name):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(24, 3)), np.arange(24) % 3
    embedder = make_methods([name], random_state=0, max_epochs=1, embedding_dim=4)[name]
    assert isinstance(embedder, MetricLossEmbedder)
    assert np.isfinite(embedder.fit(X, y).transform(X)).all()
    again = make_methods([name], random_state=0, max_epochs=1, embedding_dim=4)[name]
    assert describe(again) == describe(embedder)  # kept fits are found again


def test_losses_of_the_extra_without_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    monkeypatch.setattr(_losses_by_name, "install_hint", lambda *names: f"install {names}")
    match = r"proxy-anchor is .*: install \('metric-learning', 'pytorch-metric-learning'\)\."
    with pytest.raises(ImportError, match=match):
        make_methods(["pca", "proxy-anchor"])


def test_unknown_names():
    with pytest.raises(ArgumentError, match="names='pcaa': give some of pca, cross-entropy"):
        make_methods(["pca", "pcaa"])


@pytest.mark.parametrize("shape", [(7, 4, 4), (200, 2, 3, 3)])
def test_pca_keeps_what_there_is(shape):
    X = np.random.RandomState(0).rand(*shape)
    embedded = pca_baseline(random_state=0).fit_transform(X)
    assert embedded.shape == (shape[0], min(100, shape[0], np.prod(shape[1:])))
