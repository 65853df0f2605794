"""Sort keys: ten digits of a distance, and relevance as the lowest bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfer.metrics._sort_keys import EXCLUDED, smallest, sort_keys

# Keys keep 36 bits of a distance.
STEP = 2.0**-36


def keys_of(distances, relevant=False):
    distances = np.array([distances], dtype=np.float64)
    return sort_keys(distances, np.broadcast_to(relevant, distances.shape))[0]


def test_distances_are_rounded_to_36_bits():
    down, same, up, next_one = keys_of([1 + 0.49 * STEP, 1, 1 + 0.51 * STEP, 1 + STEP])
    assert down == same < up == next_one
    assert next_one - same == 2


@pytest.mark.parametrize("value", [0.0, 1e-300, 1.0, 3.7, 1e300])
def test_among_equals_the_irrelevant_come_first(value):
    (other,), (relevant,) = keys_of([value]), keys_of([value], True)
    assert relevant == other + 1
    assert other % 2 == 0
    (next_one,) = keys_of([value * (1 + 2 * STEP) or 1e-300])
    assert relevant < next_one < EXCLUDED
    assert EXCLUDED % 2 == 0


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=9))
def test_keys_sort_as_distances(values):
    values = np.sort(values)
    keys = keys_of(values)
    assert (np.diff(keys.astype(object)) >= 0).all()
    assert keys_of([np.inf])[0] >= keys[-1]


@pytest.mark.parametrize("depth", [0, 1, 2, 30, 999, 2999, 3000, 3001])
def test_the_smallest_come_in_order(depth):
    # Of short rows numpy sorts more than it is asked to.
    keys = np.random.default_rng(depth).integers(10**6, size=(30, 3000), dtype=np.uint64)
    expected = np.sort(keys, axis=1)[:, :depth]
    assert_array_equal(smallest(keys, depth), expected)
