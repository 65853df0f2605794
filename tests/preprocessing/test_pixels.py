"""Numbers of any kind as pixels."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfer.pictures import PictureError
from skfer.preprocessing._pixels import as_pixels

ALL = np.arange(256)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64, np.float32, np.float64])
def test_numbers_up_to_255_are_pixels(kind):
    pixels = as_pixels(ALL.astype(kind))
    assert pixels.dtype == np.uint8
    assert_array_equal(pixels, ALL)


def test_broken_numbers_up_to_1_are_shares():
    """A share of 255 that is no whole pixel by a rounding error is that pixel."""
    pixels = as_pixels(ALL * (1 / 255))
    assert pixels.dtype == np.uint8
    assert_array_equal(pixels, ALL)
    assert_array_equal(as_pixels(np.array([0.0, 1.0])), [0, 255])
    assert_array_equal(as_pixels(np.array([0.0, 1.01])), [0, 1])


def test_whole_numbers_up_to_1_are_pixels():
    assert_array_equal(as_pixels(np.eye(4, dtype=int)), np.eye(4))


@pytest.mark.parametrize(
    "numbers",
    [np.linspace(-1, 1, 16), np.array([0.0, 255.5]), np.array([-1, 3]), np.array([np.nan, 1.0])],
)
def test_other_numbers_are_refused(numbers):
    with pytest.raises(PictureError, match=r"image must be uint8, or hold numbers from 0 to 1 or"):
        as_pixels(numbers.reshape(-1, 2))


@pytest.mark.parametrize("given", [np.array(["a"]), np.array([True]), np.array([1j])])
def test_what_is_no_number_is_left_as_it_is(given):
    assert as_pixels(given) is given


def test_a_picture_without_pixels_stays_so():
    assert as_pixels(np.zeros((0, 4))).shape == (0, 4)
