"""What may be given as X and y, and what is refused."""

from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch import nn

from skfer import CrossEntropyEmbedder, MultiThresholdEmbedder
from skfer.embedders.samples._inputs import row_statistics
from skfer.exceptions import ArgumentError


def fitted(embedder, X, y):
    return clone(embedder).fit(X, y).transform(X)


def test_flat_rows_with_an_image_size_are_images(embedder, faces):
    as_images = fitted(embedder, faces.images, faces.target)
    embedder.set_params(image_size=24)
    assert_array_equal(fitted(embedder, faces.data, faces.target), as_images)
    assert_array_equal(fitted(embedder, faces.images, faces.target), as_images)


def test_attributes_tell_the_input(embedder, faces, rows):
    model = embedder.fit(faces.images, faces.target)
    assert model.input_shape_ == (24, 24)
    assert model.n_features_in_ == 576
    model.fit(*rows)
    assert model.input_shape_ == (5,)
    assert model.n_features_in_ == 5
    assert_array_equal(model.classes_, ["awe", "joy", "rage"])


def test_float_images(embedder, faces):
    Z = fitted(embedder, faces.images / 255, faces.target)
    assert Z.dtype == np.float32
    assert np.isfinite(Z).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_last(embedder, faces, channels):
    color = np.repeat(faces.images[..., None], channels, axis=3)
    model = embedder.fit(color, faces.target)
    assert model.input_shape_ == (24, 24, channels)
    assert model.transform(color[:3]).shape == (3, 16)


def test_memmap_gives_what_the_array_gives(embedder, faces, tmp_path):
    np.save(tmp_path / "faces.npy", faces.images)
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")
    assert_array_equal(
        fitted(embedder, mapped, faces.target), fitted(embedder, faces.images, faces.target)
    )


def test_batches_of_a_memmap_are_read_one_by_one(faces):
    reads = []

    class Watched(np.ndarray):
        def __getitem__(self, indices):
            reads.append(len(indices) if isinstance(indices, np.ndarray) else indices)
            return np.asarray(self)[indices]

        def __array__(self, *args, **kwargs):
            raise AssertionError("X was copied whole")

    watched = faces.images.view(Watched)
    model = MultiThresholdEmbedder(16, max_epochs=1, samples_per_class=3, random_state=0)
    model.fit(watched, faces.target).transform(watched)
    sizes = [size for size in reads if isinstance(size, int)]
    assert sizes
    assert max(sizes) == 12


@pytest.mark.parametrize("kind", ["rows", "flat images", "float images"])
def test_memmaps_of_other_kinds(kind, embedder, faces, tmp_path):
    X = {
        "rows": np.random.RandomState(0).normal(size=(64, 7)),
        "flat images": faces.data,
        "float images": faces.images.astype(np.float32),
    }[kind]
    if kind == "flat images":
        embedder.set_params(image_size=faces.images.shape[1:])
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_array_equal(fitted(embedder, mapped, faces.target), fitted(embedder, X, faces.target))


def test_pages_of_a_flat_memmap_are_released(faces, tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", faces.data)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    released = []
    monkeypatch.setattr("skfer.training._source.release_pages", released.append)
    monkeypatch.setattr("skfer.training._source._RELEASE_BYTES", 1000)
    model = MultiThresholdEmbedder(16, max_epochs=1, image_size=24, random_state=0)
    model.fit(mapped, faces.target)
    assert released
    assert all(array is mapped for array in released)


@settings(max_examples=20)
@given(st.integers(1, 50), st.integers(1, 6), st.integers(0, 99), st.integers(1, 40))
def test_statistics_of_rows_in_chunks(n, d, seed, cells):
    X = (np.random.RandomState(seed).normal(size=(n, d)) * 3 + 1e4).astype(np.float32)
    with mock.patch("skfer.embedders.samples._inputs._MOMENTS_CELLS", cells):
        mean, scale = row_statistics(X)
    assert_allclose(mean, X.mean(0, dtype=np.float64))
    deviation = X.std(0, dtype=np.float64)
    assert_allclose(scale, np.where(deviation > 0, deviation, 1), atol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-36, 1e30, 1e300])
def test_rows_and_images_in_any_range(faces, rows, scale):
    X, y = rows
    model = CrossEntropyEmbedder(
        16, backbone="scratch", max_epochs=2, samples_per_class=8, random_state=0
    )
    expected = clone(model).fit(X, y).transform(X)
    Z = clone(model).fit(X * scale, y).transform(X * scale)
    assert_allclose(Z, expected, atol=1e-3)
    narrow = 1e-37 < scale < 1e37
    dark = faces.images.astype(np.float32 if narrow else np.float64) * scale
    assert dark.dtype == (np.float32 if narrow else np.float64)
    expected = clone(model).fit(faces.images, faces.target).transform(faces.images)
    assert_allclose(clone(model).fit(dark, faces.target).transform(dark), expected, atol=0.05)


@pytest.mark.parametrize("offset", [1e6, -1e9, 1e300])
def test_an_offset_of_images_does_not_matter(embedder, faces, offset):
    shifted = faces.images.astype(np.float64) * max(1.0, abs(offset) / 1e9) + offset
    embedder.fit(faces.images, faces.target)
    expected = embedder.transform(faces.images)
    assert_allclose(embedder.transform(shifted), expected, atol=1e-4)
    whole = (faces.images.astype(np.int64) + 2**40).astype(np.uint64)
    assert_allclose(embedder.transform(whole), expected, atol=1e-4)
    constant = np.full((1, 24, 24), 0.1)
    assert_array_equal(embedder.transform(constant), embedder.transform(constant * 0))


def test_values_too_large_beside_those_of_the_fit(embedder, rows):
    X, y = rows
    embedder.fit(X, y)
    X = X.copy()
    X[3, 2] = 1e39
    with pytest.raises(ArgumentError, match=r"X has a value too large.*: 1e\+39 in column 2"):
        embedder.transform(X)


def test_an_embedding_that_is_not_finite_is_no_class(embedder, rows):
    X, y = rows
    embedder.fit(X, y)
    X = X.copy()
    X[3] = 1e38
    with torch.no_grad():
        embedder.net_.module_.project.weight.mul_(1e10)
    with pytest.raises(ArgumentError, match=r"X has an embedding that is not finite.*sample 3"):
        getattr(embedder, "predict", embedder.transform)(X)


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, "objects"])
def test_images_one_by_one(faces, kind):
    expected = CrossEntropyEmbedder(16, max_epochs=1, random_state=0)
    expected.fit(faces.images, faces.target)
    model = clone(expected).fit(_one_by_one(faces.images, kind), faces.target)
    assert_array_equal(model.transform(faces.images), expected.transform(faces.images))
    few = [*faces.images[:3], faces.images[3, :20]]
    with pytest.raises(ValueError, match=r"X\[0\] is of shape \(24, 24\), X\[3\] .*\(20, 24\)"):
        model.transform(_one_by_one(few, kind))


def _one_by_one(images, kind):
    if kind != "objects":
        return kind(list(images))
    array = np.empty(len(images), dtype=object)
    array[:] = list(images)
    return array


def test_rows_in_a_series(rows):
    X, y = rows
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0).fit(X, y)
    assert_array_equal(model.transform(pd.Series(list(X))), model.transform(X))


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_single_image(faces, channels):
    images = faces.images if not channels else np.repeat(faces.images[..., None], 3, axis=3)
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0).fit(images, faces.target)
    with pytest.raises(ValueError, match=r"a single image is: give X\[None\]"):
        model.transform(images[0])
    assert model.transform(images[0][None]).shape == (1, 16)


def test_rows_in_color_are_images_with_three_channels(faces):
    color = np.repeat(faces.images[..., None], 3, axis=3)
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0)
    expected = clone(model).fit(color, faces.target).transform(color)
    flat = color.reshape(len(color), -1)
    model.set_params(image_size=24, color=True).fit(flat, faces.target)
    assert model.input_shape_ == (24, 24, 3)
    assert_array_equal(model.transform(flat), expected)
    with pytest.raises(ValueError, match=r"image_size=\(24, 24\), color=True needs rows of 1728"):
        model.fit(faces.data, faces.target)


def test_feature_names_are_those_of_the_last_fit(embedder, faces):
    table = pd.DataFrame(np.random.RandomState(0).normal(size=(64, 3)), columns=["a", "b", "c"])
    assert embedder.fit(table, faces.target).feature_names_in_.tolist() == ["a", "b", "c"]
    assert not hasattr(embedder.fit(faces.images, faces.target), "feature_names_in_")


def _nan(faces):
    X = faces.images.astype(np.float32)
    X[5, 3, 3] = np.nan
    return X


def _rgba(images):
    opaque = np.full_like(images, 255)
    return np.stack([images, images, images, opaque], axis=-1)


BAD = {
    "lengths": (lambda f: (f.images, f.target[:-1]), {}, "X has 64 samples, y has 63"),
    "one class": (lambda f: (f.images, np.zeros(64, int)), {}, "at least two classes in y"),
    "no y": (lambda f: (f.images, None), {}, "requires y"),
    "nan": (lambda f: (_nan(f), f.target), {}, r"X contains NaN. The first such .* X\[5\]"),
    "inf": (lambda f: (np.where(np.isnan(_nan(f)), np.inf, 1.0), f.target), {}, "infinity"),
    "continuous": (lambda f: (f.images, np.linspace(0, 1, 64)), {}, "continuous"),
    "5-d": (lambda f: (f.images[..., None, None], f.target), {}, r"X must be images"),
    "empty": (lambda f: (f.images[:0], f.target[:0]), {}, "0 samples"),
    "objects": (lambda f: (f.images.astype("S3"), f.target), {}, "X must hold numbers"),
    "channels first": (
        lambda f: (np.repeat(f.images[:, None], 3, axis=1), f.target),
        {},
        r"which look like channels first.* Try X\.permute\(0, 2, 3, 1\)",
    ),
    "four channels first": (
        lambda f: (np.repeat(f.images[:, None], 4, axis=1), f.target),
        {"backbone": nn.Flatten()},
        r"which look like channels first.* Try X\.permute\(0, 2, 3, 1\)",
    ),
    "transparency": (
        lambda f: (_rgba(f.images), f.target),
        {},
        r"shape \(24, 24, 4\) whose fourth channel is 255 everywhere, .* X\[\.\.\., :3\]",
    ),
    "too small": (lambda f: (f.images[:, :12, :12], f.target), {}, "at least 16 x 16"),
    "unknown backbone": (lambda f: (f.images, f.target), {"backbone": "vgg"}, "backbone='vgg'"),
    "bad factory": (
        lambda f: (f.images, f.target),
        {"backbone": lambda shape: 3},
        "backbone: the callable must return",
    ),
    "unfit backbone": (
        lambda f: (f.images, f.target),
        {"backbone": nn.Conv2d(3, 4, 3)},
        "backbone: Conv2d cannot take",
    ),
    "backbone's output": (
        lambda f: (f.images, f.target),
        {"backbone": nn.Flatten(2)},
        "backbone: Flatten must return",
    ),
    "weights for auto": (
        lambda f: (f.images, f.target),
        {"backbone_weights": "w.pth"},
        "backbone_weights='w.pth' needs",
    ),
    "timm on rows": (
        lambda f: (f.data, f.target),
        {"backbone": "timm/resnet18"},
        "needs images, got rows",
    ),
    "rows and image_size": (
        lambda f: (f.data, f.target),
        {"image_size": (9, 9)},
        r"image_size=\(9, 9\) needs rows of 81 values, got X with 576",
    ),
    "image_size's kind": (lambda f: (f.data, f.target), {"image_size": (9,)}, "image_size=.*size"),
    "image_size with channels": (
        lambda f: (f.images, f.target),
        {"image_size": (3, 24, 24), "backbone": nn.Flatten()},
        r"image_size=\(3, 24, 24\) is not a size: give an int .* or \(height, width\)",
    ),
    "image_size's numbers": (
        lambda f: (f.images, f.target),
        {"image_size": (24.7, 24.2)},
        r"image_size=\(24\.7, 24\.2\) is not a size",
    ),
    "image_size's sides": (
        lambda f: (f.images, f.target),
        {"image_size": (24, None)},
        r"image_size=\(24, None\) is not a size",
    ),
    "augment's shape": (
        lambda f: (f.images, f.target),
        {"augment": nn.AvgPool2d(2)},
        r"augment: AvgPool2d must keep .*\(\d+, 1, 24, 24\), but made it \(\d+, 1, 12, 12\)",
    ),
    "meta": (lambda f: (f.images, f.target), {"device": "meta"}, "torch finds no META"),
    "mps": (lambda f: (f.images, f.target), {"device": "mps:7"}, "torch finds no MPS"),
    "no such GPU": (lambda f: (f.images, f.target), {"device": "cuda:99"}, "finds no CUDA:99"),
    "other image_size": (
        lambda f: (f.images, f.target),
        {"image_size": 9},
        r"images of shape \(24, 24\), but image_size=\(9, 9\)",
    ),
    "device": (lambda f: (f.images, f.target), {"device": "warp"}, "device='warp'"),
    "negative lr": (lambda f: (f.images, f.target), {"lr": -1.0}, "'lr' parameter"),
    "epochs": (lambda f: (f.images, f.target), {"max_epochs": 0}, "'max_epochs' parameter"),
    "schedule": (lambda f: (f.images, f.target), {"schedule": "x"}, "'schedule' parameter"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(embedder, faces, case):
    make, params, message = BAD[case]
    X, y = make(faces)
    with pytest.raises(ValueError, match=message):
        embedder.set_params(**params).fit(X, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.images[:, :20], r"shape \(20, 24\).*fitted on inputs of shape \(24, 24\)"),
        (lambda f: f.images[..., None], r"shape \(24, 24, 1\)"),
        (lambda f: f.data, r"rows of 576 features.*images of shape \(24, 24\)"),
    ],
)
def test_another_shape_at_transform(embedder, faces, change, message):
    embedder.fit(faces.images, faces.target)
    with pytest.raises(ValueError, match=message):
        embedder.transform(change(faces))


def test_missing_extra_says_which(embedder, faces, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ImportError, match="needs timm: pip install"):
        embedder.set_params(backbone="timm/resnet18").fit(faces.images, faces.target)


def test_a_failed_fit_leaves_a_fitted_model_alone(embedder, faces):
    embedder.fit(faces.images, faces.target)
    before = embedder.transform(faces.images)
    with pytest.raises(ValueError, match="at least two classes"):
        embedder.fit(faces.images, np.zeros(64, int))
    assert_array_equal(embedder.transform(faces.images), before)


def test_an_image_after_the_first_chunk_is_named_by_its_number():
    X = np.zeros((2500, 16, 16), dtype=np.float32)
    X[2100, 1, 1] = np.nan
    with pytest.raises(ValueError, match=r"The first such image is X\[2100\]"):
        CrossEntropyEmbedder().fit(X, np.arange(2500) % 2)
