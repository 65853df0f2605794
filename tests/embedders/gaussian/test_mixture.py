"""Gaussians of classes: densities against scipy, few points, posteriors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from scipy.stats import multivariate_normal

from skfer.embedders.gaussian._mixture import (
    COVARIANCE_TYPES,
    Mixture,
    class_joint,
    class_posterior,
    evened,
    fit_mixture,
    likeliest_component,
)

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def _matrix(mixture, k):
    """The covariance matrix of component k, whatever the type."""
    if mixture.covariance_type == "tied":
        return mixture.covariances
    covariance = mixture.covariances[k]
    n_features = mixture.means.shape[1]
    return {
        "full": covariance,
        "diag": np.diag(np.atleast_1d(covariance)) if np.ndim(covariance) < 2 else None,
        "spherical": np.eye(n_features) * covariance if np.ndim(covariance) == 0 else None,
    }[mixture.covariance_type]


def _blobs(centers, n, seed=0, scale=1.0):
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(len(centers)), n)
    return np.asarray(centers, float)[labels] + scale * rng.normal(
        size=(len(labels), np.shape(centers)[1])
    ), labels


@every_type
def test_densities_are_those_of_scipy(covariance_type):
    points, labels = _blobs(np.eye(3) * 4, 30)
    mixture = fit_mixture(points, labels, 3, covariance_type)
    joint = mixture.log_joint(points)
    for k in range(3):
        expected = multivariate_normal(mixture.means[k], _matrix(mixture, k)).logpdf(points)
        assert_allclose(joint[:, k], expected + np.log(1 / 3), rtol=1e-10)


@every_type
def test_whitened_rows_have_the_same_densities(covariance_type):
    points, labels = _blobs(np.eye(4, 3) * 4, 20, scale=0.7)
    mixture = fit_mixture(points, labels, 4, covariance_type)
    matrices, constants = mixture.whitening()
    assert matrices.shape == (1 if covariance_type == "tied" else 4, 3, 3)
    matrices = np.broadcast_to(matrices, (4, 3, 3))
    rows = [(points - mean) @ matrix for mean, matrix in zip(mixture.means, matrices, strict=True)]
    found = constants - np.square(rows).sum(axis=2).T / 2
    assert_allclose(found, mixture.log_joint(points), rtol=1e-10)


@every_type
def test_many_points_speak_for_themselves(covariance_type):
    rng = np.random.RandomState(0)
    labels = np.arange(40_000) % 2
    spread = np.array([[1.0, 2.0], [3.0, 0.5]])[labels]
    points = rng.normal(size=(40_000, 2)) * spread + 10 * labels[:, None]
    mixture = fit_mixture(points, labels, 2, covariance_type)
    assert_allclose(mixture.means, [[0, 0], [10, 10]], atol=0.1)
    expected = {
        "full": [np.diag([1, 4]), np.diag([9, 0.25])],
        "tied": np.diag([5, 2.125]),
        "diag": [[1, 4], [9, 0.25]],
        "spherical": [2.5, 4.625],
    }[covariance_type]
    assert_allclose(mixture.covariances, expected, atol=0.15)


@every_type
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), d=st.integers(1, 20))
def test_few_points_of_any_scale_are_enough(covariance_type, seed, n, d):
    rng = np.random.RandomState(seed)
    points = rng.normal(size=(n, d)) * 10 ** rng.uniform(-6, 6) + rng.normal() * 100
    labels = np.r_[0, 1, rng.randint(3, size=n - 2)]
    mixture = fit_mixture(points, labels, 4, covariance_type)
    assert_allclose(mixture.weights.sum(), 1)
    assert mixture.weights[3] == 0
    joint = mixture.log_joint(points)
    assert np.isfinite(joint[:, mixture.weights > 0]).all()
    assert (joint[:, 3] == -np.inf).all()
    assert_allclose(class_posterior(joint, np.array([0, 1, 1, 0]), 2).sum(axis=1), 1)


@every_type
def test_points_that_coincide(covariance_type):
    mixture = fit_mixture(np.ones((6, 3)), np.arange(6) % 2, 2, covariance_type)
    assert_allclose(softmax(mixture.log_joint(np.ones((1, 3))), axis=1), 0.5)


def test_one_point_has_nearly_the_covariance_of_all():
    points, labels = _blobs(np.eye(4) * 9, 50)
    labels[:] = np.where(np.arange(200) == 0, 0, 1 + labels % 2)
    mixture = fit_mixture(points, labels, 3, "full")
    common = fit_mixture(points, labels, 3, "tied").covariances
    assert_allclose(mixture.covariances[0], common * 4 / 5)


def test_evened_by_hand():
    """Means along the first axis: no correlation with it is left, and twice its variance."""
    means, covariance = np.array([[-1.0, 0.0], [3.0, 0.0]]), np.array([[4.0, 1.0], [1.0, 2.0]])
    mixture = evened(Mixture(means, covariance, np.array([0.5, 0.5]), "tied"))
    assert_allclose(mixture.covariances, [[8, 0], [0, 2]], atol=1e-15)
    three = np.array([[-1.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    mixture = evened(Mixture(three, covariance, np.full(3, 1 / 3), "tied"))
    assert_allclose(mixture.covariances, [[6, 0], [0, 6]], atol=1e-15)
    # A class without samples has no place, and a single one spans nothing.
    one = Mixture(three, covariance, np.array([1.0, 0, 0]), "tied")
    assert_array_equal(evened(one).covariances, covariance)
    alike = Mixture(np.ones((2, 2)), covariance, np.array([0.5, 0.5]), "tied")
    assert_array_equal(evened(alike).covariances, covariance)


@every_type
@given(seed=st.integers(0, 10**6), k=st.integers(2, 6), d=st.integers(1, 12))
def test_evened_posteriors_are_those_of_the_nearest_mean(covariance_type, seed, k, d):
    rng = np.random.RandomState(seed)
    centers = 3 * rng.normal(size=(k, d))
    points, labels = _blobs(centers, 15, seed)
    fitted = fit_mixture(points @ rng.normal(size=(d, d)), labels, k, covariance_type)
    mixture = evened(fitted)
    if covariance_type != "tied":
        assert mixture is fitted
        return
    span = np.linalg.svd(fitted.means - fitted.means.mean(0))[2][: min(k - 1, d)]
    inside = np.trace(span @ fitted.covariances @ span.T)
    assert_allclose(np.trace(mixture.covariances) - np.trace(fitted.covariances), inside)
    new = rng.normal(size=(20, d)) * 9
    distances = np.square(new[:, None] - mixture.means).sum(2)
    posterior = softmax(mixture.log_joint(new), axis=1)
    assert_array_equal(posterior.argmax(1), distances.argmin(1))
    # The log ratio of two classes is the difference of the squared distances, in one unit.
    ratios = np.diff(mixture.log_joint(new), axis=1)
    unit = ratios / np.diff(distances, axis=1)
    assert_allclose(unit, np.median(unit), rtol=1e-6)


def test_posterior_of_a_class_is_the_sum_of_its_components():
    joint = np.log([[0.1, 0.2, 0.3], [0.5, 0.25, 0.25]])
    posterior = class_posterior(joint, np.array([1, 0, 1]), 2)
    assert_allclose(posterior, [[1 / 3, 2 / 3], [0.25, 0.75]])


def test_far_points_have_a_posterior():
    mixture = Mixture(np.array([[0.0], [1.0]]), np.ones(2), np.array([0.5, 0.5]), "spherical")
    posterior = class_posterior(mixture.log_joint(np.array([[1e8], [-1e8]])), np.arange(2), 2)
    assert_array_equal(posterior, [[0, 1], [1, 0]])


def test_likeliest_component_of_a_known_class():
    joint = np.array([[2.0, 3.0, 1.0, -np.inf]] * 4)
    found = likeliest_component(joint, np.array([0, 1, 1, 2]), np.array([-1, 0, 1, 2]))
    assert_array_equal(found, [1, 0, 1, 3])


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_chunks_change_nothing(kind, monkeypatch):
    rng = np.random.RandomState(0)
    points, labels = rng.normal(size=(50, 3)).astype(np.float32), rng.randint(4, size=50)
    whole = fit_mixture(points, labels, 5, kind)
    monkeypatch.setattr("skfer.embedders.gaussian._mixture._CHUNK", 7)
    parts = fit_mixture(points, labels, 5, kind)
    assert_allclose(parts.means, whole.means)
    assert_allclose(parts.covariances, whole.covariances)
    assert_allclose(parts.log_joint(points)[:, :4], whole.log_joint(points)[:, :4])


def test_memory_of_a_fit_does_not_grow_by_copies():
    """In double precision, one copy of these points alone has 25 MB."""
    points, labels = np.zeros((100_000, 32), np.float32), np.arange(100_000) % 3
    tracemalloc.start()
    mixture = fit_mixture(points, labels, 3, "tied")
    mixture.log_joint(points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6


def test_a_class_has_the_densities_of_its_components():
    joint = np.array([[0.0, 1.0, 2.0], [5.0, -3.0, -np.inf]])
    found = class_joint(joint, np.array([1, 0, 1]), 2)
    assert_allclose(found, [[1, np.logaddexp(0, 2)], [-3, 5]])
