"""Portraits: the same from the same seed, valid, varied, and showing what they are labeled with."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import EXPRESSIONS, draw_portraits
from skfer.datasets.drawn import _portrait
from skfer.exceptions import ArgumentError

GOLDEN = "80e409bb1626e4dd33db45e32b2112d0bfc264b24a30292d352e3c5f0bdb367e"


def portraits(n_persons=4, n_samples=1, seed=0, **options):
    return draw_portraits(n_persons, n_samples, random_state=seed, **options)


def test_the_same_bytes_from_a_seed():
    content = portraits().images.tobytes()
    assert content == portraits().images.tobytes()
    assert content != portraits(seed=1).images.tobytes()
    assert hashlib.sha256(content).hexdigest() == GOLDEN


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from([16, 33, 48, 64]), st.floats(0, 1))
def test_shapes_and_ranges(n_persons, n_samples, size, wild):
    faces = portraits(n_persons, n_samples, image_size=size, wild=wild)
    n = n_persons * n_samples * len(EXPRESSIONS)
    assert faces.images.shape == (n, size, size)
    assert faces.images.dtype == np.uint8
    assert faces.action_units.min() >= 0
    assert faces.action_units.max() <= 1
    assert faces.pose.shape == (n, 3)
    np.testing.assert_array_equal(np.bincount(faces.target), n_persons * n_samples)
    np.testing.assert_array_equal(np.bincount(faces.groups), n_samples * len(EXPRESSIONS))


def test_every_picture_shows_something():
    faces = portraits(20, 2)
    assert (faces.images.reshape(len(faces.images), -1).std(axis=1) > 4).mean() > 0.98
    assert len({image.tobytes() for image in faces.images}) == len(faces.images)


def test_neutral_faces_have_no_intensity():
    faces = portraits(6, 2)
    calm = faces.target == EXPRESSIONS.index("neutral")
    assert faces.intensity[~calm].min() >= 0.45
    assert np.isin(faces.intensity[calm], [0]).mean() > 0.3


@pytest.mark.parametrize("name", ["glasses", "beard"])
def test_attributes_are_what_is_drawn(name, monkeypatch):
    seen = portraits(20)
    monkeypatch.setattr(_portrait, f"_{name}", lambda *arguments: None)
    change = np.abs(seen.images.astype(int) - portraits(20).images).max(axis=(1, 2))
    has = seen[name] > 0
    assert 0.05 < has.mean() < 0.95
    assert change[~has].max() == 0
    assert np.median(change[has]) > 10


def test_skin_is_as_light_as_is_told():
    faces = portraits(40, wild=0.0)
    nose = faces.images[:, 20:28, 20:28].mean(axis=(1, 2))
    assert np.corrcoef(nose, faces.skin)[0, 1] > 0.5


def test_laboratory_faces_differ_less():
    wild, posed = portraits(10, 2, wild=1.0), portraits(10, 2, wild=0.0)
    assert np.abs(wild.pose).mean() > 2 * np.abs(posed.pose).mean()


@pytest.mark.parametrize("expression", ["happiness", "surprise", "anger"])
def test_units_show(expression):
    """The mouth or the brows of an expression are other than those of a neutral face."""
    faces = portraits(60, 1, wild=0.0)
    shown = faces.images[faces.target == EXPRESSIONS.index(expression)].astype(float).mean(0)
    calm = faces.images[faces.target == EXPRESSIONS.index("neutral")].astype(float).mean(0)
    assert np.abs(shown - calm).max() > 12


@pytest.mark.parametrize(
    ("name", "value"), [("n_persons", 0), ("image_size", 256), ("wild", 1.5), ("lowest", -1)]
)
def test_refuses_what_is_out_of_range(name, value):
    with pytest.raises(ArgumentError, match=f"{name} must be"):
        draw_portraits(**{"n_persons": 2, name: value})


def test_they_are_a_set_as_any_other():
    faces = draw_portraits(1, 1, image_size=16, random_state=0)
    assert faces.class_names.tolist() == list(EXPRESSIONS)
    assert faces.data.shape == (8, 256)
    assert repr(faces).startswith("Drawn portraits\n  images: 8 of 16 x 16 pixels, gray")


@pytest.mark.parametrize("wild", [0.0, 1.0])
def test_they_are_drawn_though_a_caller_has_numpy_raise(wild):
    plain = draw_portraits(4, 1, image_size=48, wild=wild, random_state=0)
    with np.errstate(all="raise"):
        strict = draw_portraits(4, 1, image_size=48, wild=wild, random_state=0)
    np.testing.assert_array_equal(strict.images, plain.images)
