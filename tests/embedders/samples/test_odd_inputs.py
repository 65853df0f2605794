"""Inputs of other libraries, and mistakes: they are taken, or told by argument and remedy."""

import re
import warnings
from collections import UserList, deque
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.compose import ColumnTransformer
from skorch.helper import SliceDataset
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder, TripletCenterEmbedder
from skfer.exceptions import ArgumentError
from skfer.nets import FaceAugment


def model(cls=CrossEntropyEmbedder, **params):
    return cls(4, max_epochs=1, backbone="scratch", random_state=0).set_params(**params)


@pytest.fixture(scope="module")
def fitted(faces):
    return model().fit(faces.images, faces.target)


@pytest.fixture(scope="module")
def expected(fitted, faces):
    return fitted.transform(faces.images)


SAME = {
    "tensor": torch.from_numpy,
    "half precision": lambda X: torch.from_numpy(X).half(),
    "bfloat16": lambda X: torch.from_numpy(X).bfloat16(),
    "gradient": lambda X: torch.from_numpy(X).float().requires_grad_(),
    "list of tensors": lambda X: list(torch.from_numpy(X).bfloat16()),
    "data set": lambda X: SliceDataset(TensorDataset(torch.from_numpy(X))),
    "cells": lambda X: pd.DataFrame({"img": list(X)}),
}


class Column(Sequence):
    """As data sets of other libraries have it: each image is made when it is asked for."""

    def __init__(self, items):
        self._items = items

    def __len__(self):
        return len(self._items)

    def __getitem__(self, i):
        return self._items[i]


class Series:
    """As data frames of other libraries have it: one-dimensional, but an array of images."""

    def __init__(self, items):
        self._items = items
        self.shape, self.dtype = (len(items),), "List"

    def __len__(self):
        return len(self._items)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._items)


class Chunks:
    """As libraries of columns have it: nothing but length, items and a way to an array."""

    def __init__(self, items):
        self._items = items

    def __len__(self):
        return len(self._items)

    def __getitem__(self, i):
        return [self._items[i]]  # of a type of its own

    def __array__(self, dtype=None, copy=None):
        return np.array(self._items, dtype=dtype)


class Records(Column):
    """A table whose rows are mappings."""

    def __init__(self, images):
        super().__init__([{"id": 1, "image": image} for image in images])
        self.shape = (len(images), 2)


OTHERS = {
    "column": lambda X: Column(list(X)),
    "column of tensors": lambda X: Column(list(torch.from_numpy(X))),
    "column of pictures": lambda X: Column([Image.fromarray(image) for image in X]),
    "UserList": lambda X: UserList(X),
    "deque": lambda X: deque(X),
    "series": Series,
    "chunks": Chunks,
}


@pytest.mark.parametrize("given", OTHERS.values(), ids=OTHERS)
def test_sequences_of_other_libraries(faces, expected, given):
    X, y = given(faces.images), faces.target
    assert_array_equal(model().fit(X, y).transform(X), expected)
    assert_array_equal(model().fit_transform(X, y), expected)
    parts = model().partial_fit(X, y)
    assert_array_equal(parts.predict(X), model().partial_fit(faces.images, y).predict(faces.images))


@pytest.mark.parametrize("kind", [Column, Chunks, deque])
def test_paths_in_sequences_of_other_libraries(fitted, faces, expected, kind, tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(4)]
    for path, image in zip(paths, faces.images, strict=False):
        Image.fromarray(image).save(path)
    assert_allclose(fitted.transform(kind(paths)), expected[:4], atol=1e-4)


def test_a_column_is_read_anew_where_broken_pictures_are_skipped(faces, tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(64)]
    for path, image in zip(paths, faces.images, strict=True):
        Image.fromarray(image).save(path)
    skipping = model(on_error="skip")
    expected = skipping.fit_transform(paths, faces.target)
    assert_array_equal(skipping.fit_transform(Column(paths), faces.target), expected)


@pytest.mark.parametrize("given", SAME.values(), ids=SAME)
def test_the_same_images_in_another_form(fitted, faces, expected, given):
    # Of 256 values bfloat16 has them all; the mean of floats is computed in another order.
    assert_allclose(fitted.transform(given(faces.images)), expected, atol=1e-4)


def test_data_sets_of_torch(faces, expected):
    data = TensorDataset(torch.from_numpy(faces.images), torch.from_numpy(faces.target))
    found = model().fit(SliceDataset(data), SliceDataset(data, idx=1))
    assert_array_equal(found.transform(faces.images), expected)


def test_images_in_the_cells_of_a_column(faces, expected):
    table = pd.DataFrame({"age": np.arange(64), "img": list(faces.images)})
    for column in ("img", ["img"]):
        columns = ColumnTransformer([("e", model(), column), ("rest", "passthrough", ["age"])])
        assert_array_equal(columns.fit_transform(table, faces.target)[:, :4], expected)


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x1b[31m" + bytes(range(256)) * 100
MISTAKES = {
    "pixel strings": (
        lambda X: [" ".join(map(str, image.ravel())) for image in X],
        r"X holds pixel values as text, such as '\d.*np\.array\(.*image_size",
    ),
    "content of files": (lambda X: [JPEG] * len(X), r"X\[0\] is the content of a file"),
    "content of a file": (lambda X: JPEG, r"got the single path b'\\xff"),
    "something else among paths": (
        lambda X: ["a.png", X.tolist()] + ["a.png"] * (len(X) - 2),
        r"X\[1\] is \[\[\[.*leave such samples out",
    ),
    "loader": (lambda X: DataLoader(TensorDataset(torch.from_numpy(X))), "SliceDataset"),
    "generator": (lambda X: (x for x in X), "X must be an array of images or rows"),
    "dict": (lambda X: {"images": X}, "X must be an array of images or rows"),
    "records": (Records, r"X is a table of records, .*'image'\]: give its .* X\['image'\]\."),
    "dicts": (
        lambda X: [{"img": image} for image in X],
        r"X is a table of records, .* as \[row\['img'\] for row in X\]\.",
    ),
    "none": (lambda X: None, "X must be an array of images or rows.* got None"),
    "sparse": (lambda X: torch.from_numpy(X).to_sparse(), "X must be dense tensors"),
    "no values": (lambda X: torch.zeros(X.shape, device="meta"), "X must be dense tensors"),
}


@pytest.mark.parametrize(("given", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told(fitted, faces, given, message):
    for call in (fitted.transform, lambda X: model().fit(X, faces.target)):
        with pytest.raises(ValueError, match=message) as told:
            call(given(faces.images))
        assert len(str(told.value)) < 400
        assert str(told.value).replace("\n", "").isprintable()


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit
        return torch.jit.script(nn.Conv2d(1, 4, 3))


PARAMETERS = {
    "augment's function": (
        {"augment": lambda x: x.flip(-1)},
        r"augment must be a torch.nn.Module .*, got <function.*whose forward calls it",
    ),
    "augment's class": (
        {"augment": FaceAugment},
        "augment must be .*give an instance",
    ),
    "jit": ({"backbone": scripted()}, "backbone is a module of torch.jit"),
    "callbacks": ({"callbacks": ["x" * 9999]}, "callbacks holds 'xxx"),
    "priors by class": ({"priors": {0: 1.0}}, r"priors must be a list.*\[priors\[c\] for c"),
    "priors in words": ({"priors": ["a", "b"]}, r"priors must be one .* got \['a', 'b'\]"),
    "priors NaN": ({"priors": [np.nan] * 999}, "priors must be one probability"),
    "weights in words": ({"class_weight": {0: "much"}}, "class_weight must be a positive number"),
}


@pytest.mark.parametrize(("params", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_are_named(faces, params, message):
    kinds = {"priors": GaussianMetricEmbedder, "class_weight": TripletCenterEmbedder}
    kind = kinds.get(next(iter(params)), CrossEntropyEmbedder)
    with pytest.raises(ValueError, match=message) as told:
        model(kind, **params).fit(faces.images, faces.target)
    assert len(str(told.value)) < 300


def test_labels_of_sub_classes_are_checked(faces):
    X, y = faces.images, faces.target
    fitted = model(GaussianMetricEmbedder).fit(X, y)
    for wrong, message in {
        "other": (y + 100, r"y holds \[100.*the classes \[0, 4, 5, 7\]: give one of them, or -1"),
        "few": (y[:3], "y has 3 entries but X has 64 rows"),
        "words": (["joy"] * 64, r"y holds \['joy'\]"),
        "images": (X, "y must be one-dimensional"),
    }.values():
        with pytest.raises(ValueError, match=message):
            fitted.predict_subclass(X, wrong)


@pytest.mark.parametrize("n", [2, 3])
def test_early_stopping_on_hardly_any_samples(embedder, rows, n):
    embedder.set_params(early_stopping=True, validation_fraction=0.4)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.4 leaves"):
        embedder.fit(rows[0][:n], rows[1][:n])


NUMBERS = pd.DataFrame({"a": np.arange(24) % 5, "b": np.arange(24) % 7})
CODES = pd.CategoricalDtype(range(24))


@pytest.mark.parametrize("kind", [CODES, "category", object, "Int64"])
def test_columns_of_categories_are_numbers(kind):
    y, table = np.arange(24) % 2, NUMBERS.astype(kind)
    expected = model().fit(NUMBERS, y).transform(NUMBERS)
    found = model().fit(table, y).transform(table)
    assert_allclose(found, expected, atol=1e-6)


TABLES = {
    "times": (
        np.zeros((24, 3), dtype="datetime64[D]"),
        r"X must hold numbers, got times, of dtype datetime64\[D\]",
    ),
    "paths": (
        NUMBERS.assign(path="/some/face.png"),
        "X is a table whose column 'path' has '/some/face.png': give .* the one column of paths",
    ),
    "words": (NUMBERS.assign(b="x").to_numpy(), "X is a table whose column 1 has 'x'"),
    "words among categories": (
        pd.DataFrame({"a": ["x", "y"] * 12, "b": ["y", "x"] * 12}).astype(
            pd.CategoricalDtype(["x", "y"])
        ),
        "X is a table whose column 'a' has 'x'",
    ),
    "gaps among categories": (
        NUMBERS.replace({"a": {3: None}}).astype(CODES),
        "contains NaN",
    ),
}


@pytest.mark.parametrize(("table", "message"), TABLES.values(), ids=TABLES)
def test_tables_of_something_else_are_told(table, message):
    with pytest.raises(ValueError, match=message):
        model().fit(table, np.arange(24) % 2)


def test_scikit_learns_message_does_not_hold_the_whole_array():
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array") as told:
        model().fit(np.arange(900) * 1e9 + 0.123456789, np.arange(900) % 2)
    assert len(str(told.value)) <= 1000


def test_channels_first_are_told_with_what_works(faces):
    images = np.repeat(faces.images[:, None], 3, axis=1)
    expected = np.moveaxis(images, 1, -1)
    tensor = torch.from_numpy(images)
    for given in (images, list(images), tensor, list(tensor), Column(list(images))):
        with pytest.raises(ValueError, match="look like channels first") as told:
            model().fit(given, faces.target)
        of_torch, of_others = re.findall(r"X\.permute\(.*?\)|np\..*-1\)", str(told.value))
        remedy = of_torch if isinstance(given, torch.Tensor) else of_others
        found = eval(remedy, {"np": np, "X": given})
        assert_array_equal(np.asarray(found), expected)


def test_x_and_y_the_other_way_round(faces):
    with pytest.raises(ArgumentError, match=r"y must be labels, .* shape \(64, 24, 24\): is it X"):
        model().fit(faces.target, faces.images)
