"""Gaussians of classes: densities against scipy, few points, sub-classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from skfer.embedders.gaussian._mixture import (
    COVARIANCE_TYPES,
    Mixture,
    class_posterior,
    fit_mixture,
    likeliest_component,
    split_classes,
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


def test_posterior_of_a_class_is_the_sum_of_its_components():
    joint = np.log([[0.1, 0.2, 0.3], [0.5, 0.25, 0.25]])
    posterior = class_posterior(joint, np.array([1, 0, 1]), 2)
    assert_allclose(posterior, [[1 / 3, 2 / 3], [0.25, 0.75]])


def test_far_points_have_a_posterior():
    mixture = Mixture(np.array([[0.0], [1.0]]), np.ones(2), np.array([0.5, 0.5]), "spherical")
    posterior = class_posterior(mixture.log_joint(np.array([[1e8], [-1e8]])), np.arange(2), 2)
    assert_array_equal(posterior, [[0, 1], [1, 0]])


def test_likeliest_component_of_a_known_class():
    joint = np.array([[3.0, 2.0, 1.0, -np.inf]] * 4)
    found = likeliest_component(joint, np.array([0, 1, 1, 2]), np.array([-1, 0, 1, 2]))
    assert_array_equal(found, [0, 0, 1, 3])


def _split(points, codes, most=4, **kwargs):
    return split_classes(points, codes, most, random_state=np.random.RandomState(0), **kwargs)


def test_split_finds_blobs_where_there_are_some():
    points, blobs = _blobs(np.eye(5) * 8, 60)
    codes = np.array([0, 0, 1, 2, 2])[blobs]
    labels, owners = _split(points, codes)
    assert_array_equal(owners, [0, 0, 1, 2, 2])
    assert_array_equal(owners[labels], codes)
    assert adjusted_rand_score(blobs, labels) == 1


@every_type
def test_split_by_every_kind_of_covariance(covariance_type):
    points, blobs = _blobs(np.eye(5) * 9, 60)
    codes = np.array([0, 0, 1, 2, 2])[blobs]
    labels, owners = _split(points, codes, covariance_type=covariance_type)
    assert_array_equal(owners, [0, 0, 1, 2, 2])
    assert adjusted_rand_score(blobs, labels) == 1


def test_groups_are_judged_by_their_own_covariances():
    rng = np.random.RandomState(0)
    # A wide and a narrow group around one place: told apart by width alone, they are one group.
    points = np.r_[rng.normal(size=(200, 3)) * 5, rng.normal(size=(200, 3)) * 0.2]
    _, owners = _split(points, np.zeros(400, int), covariance_type="full")
    assert_array_equal(owners, [0])


def test_a_split_class_gains_one_group_a_round():
    points, blobs = _blobs([[0, 0], [40, 0], [40, 12], [0, 16]], 60)
    codes = np.zeros(240, int)
    labels, owners = _split(points, codes, present=np.array([2]))
    assert len(owners) == 3
    assert_array_equal([len(np.unique(labels[blobs == k])) for k in range(4)], 1)
    labels, owners = _split(points, codes, present=np.array([3]))
    assert len(owners) == 4
    assert adjusted_rand_score(blobs, labels) == 1
    _, owners = _split(points, codes, present=np.array([4]))
    assert len(owners) == 4
    _, owners = _split(points, codes, most=2, present=np.array([2]))
    assert len(owners) == 2


def test_a_split_class_of_one_gaussian_becomes_whole_again():
    points, _ = _blobs(np.zeros((1, 3)), 300)
    _, owners = _split(points, np.zeros(300, int), present=np.array([3]))
    assert_array_equal(owners, [0])


def test_split_leaves_unknown_and_small_classes_alone():
    points, blobs = _blobs(np.eye(4) * 20, 19)
    codes = np.array([0, 1, 1, -1])[blobs]
    labels, owners = _split(points[:70], codes[:70])
    assert_array_equal(owners, [0, 1, 1])
    assert (labels[57:] == -1).all()
    labels, owners = _split(points[10:30], codes[10:30])
    assert_array_equal(owners, [0, 1])


def test_split_leaves_gaussians_whole():
    rng = np.random.RandomState(0)
    n_split = 0
    for seed in range(150):
        points, codes = _blobs(np.zeros((1, rng.randint(1, 13))), rng.randint(1, 300), seed)
        _, owners = _split(points.astype(np.float32), codes)
        n_split += len(owners) > 1
    assert n_split <= 1


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 100),
    d=st.integers(1, 12),
    n_classes=st.integers(1, 4),
    most=st.integers(1, 5),
)
def test_split_numbers_groups_inside_classes(seed, n, d, n_classes, most):
    rng = np.random.RandomState(seed)
    points = rng.normal(size=(n, d)) + 9 * rng.randint(0, 2, (n, 1))
    codes = rng.randint(-1, n_classes, n)
    labels, owners = _split(points, codes, most)
    assert_array_equal(labels < 0, codes < 0)
    assert_array_equal(owners[labels[labels >= 0]], codes[codes >= 0])
    assert_array_equal(owners, np.sort(owners))
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    assert (np.bincount(owners, minlength=1) <= np.maximum(1, np.minimum(most, sizes // 10))).all()


def test_split_of_points_that_coincide():
    _, owners = _split(np.ones((60, 3)), np.arange(60) % 2)
    assert_array_equal(owners, [0, 1])


def test_split_is_limited():
    points, _ = _blobs(np.eye(5) * 30, 30)
    _, owners = _split(points, np.zeros(150, int), most=3)
    assert len(owners) <= 3
