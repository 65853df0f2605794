"""Classes within classes: where they are found, and where they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.metrics import adjusted_rand_score

from skfer.embedders.gaussian._mixture import COVARIANCE_TYPES, Components
from skfer.embedders.gaussian._refinement import split_rounds
from skfer.embedders.gaussian._subclasses import SubclassFinder, keep_labeled

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def _blobs(centers, n, seed=0, scale=1.0):
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(len(centers)), n)
    return np.asarray(centers, float)[labels] + scale * rng.normal(
        size=(len(labels), np.shape(centers)[1])
    ), labels


def _split(points, codes, most=4, n_present=None, **kwargs):
    return SubclassFinder(most, **kwargs).find(points, codes, np.random.RandomState(0), n_present)


def test_split_finds_blobs_where_there_are_some():
    points, blobs = _blobs(np.eye(5) * 8, 60)
    codes = np.array([0, 0, 1, 2, 2])[blobs]
    labels, classes = _split(points, codes)
    assert_array_equal(classes, [0, 0, 1, 2, 2])
    assert_array_equal(classes[labels], codes)
    assert adjusted_rand_score(blobs, labels) == 1


@every_type
def test_split_by_every_kind_of_covariance(covariance_type):
    points, blobs = _blobs(np.eye(5) * 9, 60)
    codes = np.array([0, 0, 1, 2, 2])[blobs]
    labels, classes = _split(points, codes, covariance_type=covariance_type)
    assert_array_equal(classes, [0, 0, 1, 2, 2])
    assert adjusted_rand_score(blobs, labels) == 1


def test_groups_are_compared_by_their_own_covariances():
    rng = np.random.RandomState(0)
    # A wide and a narrow group around one place: told apart by width alone, they are one group.
    points = np.r_[rng.normal(size=(200, 3)) * 5, rng.normal(size=(200, 3)) * 0.2]
    _, classes = _split(points, np.zeros(400, int), covariance_type="full")
    assert_array_equal(classes, [0])


def test_a_split_class_gains_one_group_a_round():
    points, blobs = _blobs([[0, 0], [40, 0], [40, 12], [0, 16]], 60)
    codes = np.zeros(240, int)
    labels, classes = _split(points, codes, n_present=np.array([2]))
    assert len(classes) == 3
    assert_array_equal([len(np.unique(labels[blobs == k])) for k in range(4)], 1)
    labels, classes = _split(points, codes, n_present=np.array([3]))
    assert len(classes) == 4
    assert adjusted_rand_score(blobs, labels) == 1
    _, classes = _split(points, codes, n_present=np.array([4]))
    assert len(classes) == 4
    _, classes = _split(points, codes, most=2, n_present=np.array([2]))
    assert len(classes) == 2


def test_a_split_class_of_one_gaussian_becomes_whole_again():
    points, _ = _blobs(np.zeros((1, 3)), 300)
    _, classes = _split(points, np.zeros(300, int), n_present=np.array([3]))
    assert_array_equal(classes, [0])


def test_split_leaves_unknown_and_small_classes_alone():
    points, blobs = _blobs(np.eye(4) * 20, 19)
    codes = np.array([0, 1, 1, -1])[blobs]
    labels, classes = _split(points[:70], codes[:70])
    assert_array_equal(classes, [0, 1, 1])
    assert (labels[57:] == -1).all()
    labels, classes = _split(points[10:30], codes[10:30])
    assert_array_equal(classes, [0, 1])


def test_split_leaves_gaussians_whole():
    rng = np.random.RandomState(0)
    n_split = 0
    for seed in range(150):
        points, codes = _blobs(np.zeros((1, rng.randint(1, 13))), rng.randint(1, 300), seed)
        _, classes = _split(points.astype(np.float32), codes)
        n_split += len(classes) > 1
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
    labels, classes = _split(points, codes, most)
    assert_array_equal(labels < 0, codes < 0)
    assert_array_equal(classes[labels[labels >= 0]], codes[codes >= 0])
    assert_array_equal(classes, np.sort(classes))
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    assert (np.bincount(classes, minlength=1) <= np.maximum(1, np.minimum(most, sizes // 10))).all()


def test_split_of_points_that_coincide():
    _, classes = _split(np.ones((60, 3)), np.arange(60) % 2)
    assert_array_equal(classes, [0, 1])


def test_split_is_limited():
    points, _ = _blobs(np.eye(5) * 30, 30)
    _, classes = _split(points, np.zeros(150, int), most=3)
    assert len(classes) <= 3


def test_components_of_unlabeled_points_alone_are_left_out():
    found = Components(np.array([0, 1, 2, 2, 3]), np.array([0, 0, 1, 1]))
    labels, classes = keep_labeled(found, np.array([0, -1, 1, -1, 1]))
    assert_array_equal(labels, [0, -1, 1, -1, 2])
    assert_array_equal(classes, [0, 1, 1])


def test_a_class_of_unlabeled_points_alone_keeps_a_component():
    found = Components(np.array([0, 2, 1, 3]), np.array([0, 1, 1, 2]))
    labels, classes = keep_labeled(found, np.array([0, -1, -1, 2]))
    assert_array_equal(classes, [0, 1, 2])
    assert_array_equal(labels, [0, -1, -1, 2])


def test_split_rounds():
    assert split_rounds(90) == set(range(30, 90, 3))
    assert split_rounds(9) == {3, 4, 5, 6, 7, 8}
    assert split_rounds(1) == {0}


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_start_shows_groups_within_groups(n):
    # Two that lie far apart, each of which falls into two that lie nearer, in other directions.
    centers = np.zeros((4, 6))
    centers[2:, 0] = 30
    centers[1, 1] = centers[3, 2] = 8
    points, blobs = _blobs(centers[:n], 80)
    finder = SubclassFinder(6)
    labels, classes = finder.find_in_start(
        points, np.zeros(len(points), int), np.random.RandomState(0)
    )
    assert len(classes) == n
    assert adjusted_rand_score(blobs, labels) == 1


def test_groups_in_a_start_are_no_more_than_asked_for():
    points, blobs = _blobs(np.eye(4) * 20, 40)
    codes = np.where(blobs == 3, -1, 0)
    random_state = np.random.RandomState(0)
    labels, classes = SubclassFinder(2).find_in_start(points, codes, random_state)
    assert_array_equal(classes, [0, 0])
    assert_array_equal(labels == -1, codes == -1)
    labels, classes = SubclassFinder(9).find_in_start(points, codes, random_state)
    assert_array_equal(classes, [0, 0, 0])


def test_few_points_of_a_start_stay_together():
    points, blobs = _blobs(np.eye(2) * 20, 9)
    labels, classes = SubclassFinder(4).find_in_start(points, blobs * 2, np.random.RandomState(0))
    assert_array_equal(classes, [0, 1, 2])
    assert_array_equal(labels, blobs * 2)
