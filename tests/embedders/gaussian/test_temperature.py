"""How far posteriors of the Gaussians are flattened."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfer.embedders.gaussian._mixture import COVARIANCE_TYPES, Mixture, temperature

SHAPES = {
    "tied": lambda v, k, d: v * np.eye(d),
    "full": lambda v, k, d: np.stack([v * np.eye(d)] * k),
    "diag": lambda v, k, d: np.full((k, d), v),
    "spherical": lambda v, k, d: np.full(k, v),
}


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize(("variance", "expected"), [(0.1, 3.2), (0.32, 1.0), (3.0, 1.0)])
def test_temperature_by_hand(covariance_type, variance, expected):
    means = np.array([[1.0, 0, 5], [-1, 0, 5]])  # 4 apart, squared: of which 0.08 is 0.32
    covariances = SHAPES[covariance_type](variance, 2, 3)
    mixture = Mixture(means, covariances, np.array([0.9, 0.1]), covariance_type)
    assert temperature(mixture, np.arange(2)) == pytest.approx(expected)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_temperature_is_of_all_directions_together(covariance_type):
    # Three means, 2 apart, squared, in a plane of three coordinates.
    mixture = Mixture(
        np.eye(3), SHAPES[covariance_type](0.02, 3, 3), np.full(3, 1 / 3), covariance_type
    )
    assert temperature(mixture, np.arange(3)) == pytest.approx(0.08 * 2 / 0.02)


def test_temperature_is_of_what_tells_classes_apart():
    # Along x the classes differ, along y nothing does; two sub-classes lie side by side.
    means = np.array([[0.0, 0], [2, 0], [2.2, 0]])
    covariance = np.diag([0.02, 9.0])
    mixture = Mixture(means, covariance, np.full(3, 1 / 3), "tied")
    assert temperature(mixture, np.array([0, 1, 1])) == pytest.approx(
        0.08 * (4 + 2.2**2) / 2 / 0.02
    )
    without = replace(mixture, weights=np.array([0.5, 0.5, 0]))  # which no sample is of
    assert temperature(without, np.array([0, 1, 1])) == pytest.approx(0.08 * 4 / 0.02)


@pytest.mark.parametrize(
    ("means", "classes"),
    [([[1.0, 2]], [0]), ([[1.0, 2]] * 2, [0, 1]), ([[0.0, 0], [9, 9]], [0, 0])],
)
def test_nothing_is_flattened_where_no_classes_lie_apart(means, classes):
    weights = np.full(len(means), 1 / len(means))
    mixture = Mixture(np.array(means), 1e-9 * np.eye(2), weights, "tied")
    assert temperature(mixture, np.array(classes)) == 1


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_temperature_has_no_unit(scale, seed):
    rng = np.random.RandomState(seed)
    means, variance = rng.normal(size=(4, 6)), 0.05
    weights = np.full(4, 0.25)
    one = Mixture(means, variance * np.eye(6), weights, "tied")
    other = Mixture(scale * means, scale**2 * variance * np.eye(6), weights, "tied")
    found = temperature(one, np.arange(4))
    assert found >= 1
    assert temperature(other, np.arange(4)) == pytest.approx(found)
