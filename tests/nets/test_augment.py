"""Augmentation of whole batches."""

import copy
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.nets import FaceAugment
from skfer.nets.augment import _turned_axes

STILL = {"degrees": 0, "zoom": 0, "shift": 0, "flip": False, "contrast": 0, "brightness": 0}


@pytest.fixture
def images():
    return torch.randn(8, 2, 21, 16, generator=torch.Generator().manual_seed(0))


def test_nothing_asked_for_changes_nothing(images):
    torch.testing.assert_close(FaceAugment(**STILL)(images), images, atol=1e-4, rtol=1e-4)


def test_flip_mirrors_some(images):
    moved = FaceAugment(**STILL | {"flip": True})(images.repeat(8, 1, 1, 1))
    plain = (moved - images.repeat(8, 1, 1, 1)).abs().amax((1, 2, 3)) < 1e-3
    mirrored = (moved - images.repeat(8, 1, 1, 1).flip(3)).abs().amax((1, 2, 3)) < 1e-3
    assert (plain | mirrored).all()
    assert 0 < mirrored.sum() < 64


def _theta(params, aspect):
    """The affine maps that the parameters stand for, written out."""
    maps = []
    for angle, scale, right, down, mirror, *_ in params.tolist():
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        flip = -1 if mirror < 0 else 1
        maps.append([[cos * flip, sin * aspect, right], [-sin * flip / aspect, cos, down]])
    return torch.tensor(maps)


def _params(augment, draws):
    space = augment._workspace(torch.zeros(len(draws), 1, 8, 8))
    return torch.addcmul(space.low, draws, space.span)


def _grid(augment, images, params):
    space = augment._workspace(images)
    along_x, along_y = _turned_axes(params, space)
    return (along_x + space.y * along_y).view(len(images), *images.shape[2:], 2)


@settings(deadline=None, max_examples=25)
@given(st.integers(5, 40), st.integers(5, 40), st.integers(0, 2**31 - 1))
def test_grid_is_that_of_affine_grid(height, width, seed):
    augment = FaceAugment(degrees=40, zoom=0.5, shift=0.3)
    draws = torch.rand(3, 7, generator=torch.Generator().manual_seed(seed))
    params = _params(augment, draws)
    images = torch.zeros(3, 1, height, width)
    theta = _theta(params, height / width)
    expected = F.affine_grid(theta, list(images.shape), align_corners=False)
    grid = _grid(augment, images, params)
    torch.testing.assert_close(grid, expected, atol=1e-5, rtol=1e-5)


def test_rotation_keeps_distances():
    """A turn is rigid in pixels, though the grid's axes run from -1 to 1 on either side."""
    augment = FaceAugment(degrees=90, zoom=0, shift=0, flip=False)
    params = _params(augment, torch.full((1, 7), 0.75))
    assert params[0, 0] == pytest.approx(math.pi / 4)
    grid = _grid(augment, torch.zeros(1, 1, 30, 20), params)[0]
    pixels = grid * torch.tensor([20 / 2, 30 / 2])
    for steps in (pixels.diff(dim=0), pixels.diff(dim=1)):
        lengths = torch.linalg.vector_norm(steps, dim=2)
        torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=1e-4, rtol=0)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 1, width=32), min_size=7, max_size=7))
def test_parameters_stay_within_bounds(draws):
    augment = FaceAugment(degrees=18, zoom=0.2, shift=0.1, contrast=0.3, brightness=0.4)
    angle, scale, *shifts, mirror, gain, brightness = _params(augment, torch.tensor([draws]))[0]
    assert abs(angle) <= math.radians(18) + 1e-6
    assert abs(scale - 1) <= 0.2 + 1e-6
    assert max(map(abs, shifts)) <= 0.2 + 1e-6
    assert abs(gain - 1) <= 0.3 + 1e-6
    assert abs(brightness) <= 0.4 + 1e-6
    assert (mirror < 0) == (draws[4] < 0.5)


@pytest.mark.parametrize(("draw", "side"), [(0.0, -1), (1.0, 1)])
def test_parameters_reach_their_bounds(draw, side):
    augment = FaceAugment(degrees=18, zoom=0.2, shift=0.1, contrast=0.3, brightness=0.4)
    params = _params(augment, torch.full((1, 7), draw))[0].tolist()
    turn, zoom, right, down = math.radians(18), 0.2, 2 * 0.1, 2 * 0.1
    bounds = [side * turn, 1 + side * zoom, side * right, side * down, side]
    assert params == pytest.approx([*bounds, 1 + side * 0.3, side * 0.4])


def test_contrast_and_brightness(images):
    torch.manual_seed(0)
    moved = FaceAugment(**STILL | {"contrast": 0.3, "brightness": 0.4})(images)
    gain = moved.std((1, 2, 3)) / images.std((1, 2, 3))
    assert ((gain > 0.69) & (gain < 1.31)).all()
    assert gain.min() < 0.85
    assert gain.max() > 1.15
    shift = moved.mean((1, 2, 3)) - gain * images.mean((1, 2, 3))
    assert (shift.abs() <= 0.41).all()
    assert shift.std() > 0.05


def test_shift_stays_within_bounds():
    images = torch.zeros(200, 1, 41, 41)
    images[:, :, 20, 20] = 1
    moved = FaceAugment(**STILL | {"shift": 0.1})(images)
    for places in (moved.amax((1, 3)).argmax(1), moved.amax((1, 2)).argmax(1)):  # rows, columns
        assert places.min() >= 20 - 5
        assert places.max() <= 20 + 5
        assert places.min() < 18
        assert places.max() > 22


def test_zoom_makes_what_is_there_larger_and_smaller():
    images = torch.zeros(100, 1, 40, 40)
    images[:, :, 10:30, 10:30] = 1
    sides = FaceAugment(**STILL | {"zoom": 0.2})(images).sum((1, 2, 3)).sqrt() / 20
    assert ((sides > 1 / 1.21) & (sides < 1 / 0.79)).all()
    assert sides.min() < 1 / 1.15
    assert sides.max() > 1 / 0.85


def test_seed_fixes_it_and_copies_carry_no_cache(images):
    augment = FaceAugment()
    torch.manual_seed(0)
    first = augment(images)
    torch.manual_seed(0)
    assert torch.equal(augment(images), first)
    assert pickle.loads(pickle.dumps(augment))._cache is None
    assert copy.deepcopy(augment)._cache is None


def test_many_images_are_moved_as_few_are():
    images = torch.randn(41, 1, 20, 24, generator=torch.Generator().manual_seed(1))
    augment = FaceAugment()
    torch.manual_seed(0)
    moved = augment(images)
    torch.manual_seed(0)
    params = _params(augment, torch.rand(41, 7))
    expected = F.grid_sample(images, _grid(augment, images, params), align_corners=False)
    expected = expected * params[:, 5, None, None, None] + params[:, 6, None, None, None]
    torch.testing.assert_close(moved, expected)


def test_changed_settings_hold(images):
    augment = FaceAugment()
    augment(images)
    for name, value in STILL.items():
        setattr(augment, name, value)
    torch.testing.assert_close(augment(images), images, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "largest", "too_large"),
    [("degrees", 180, 180.5), ("zoom", 0.99, 1), ("shift", 1, 1.01), ("contrast", 1, 1.01)],
)
def test_bounds_of_settings(name, largest, too_large):
    assert getattr(FaceAugment(**{name: largest}), name) == largest
    for odd in (too_large, -0.01):
        with pytest.raises(ValueError, match=f"{name} must be a finite number"):
            FaceAugment(**{name: odd})
