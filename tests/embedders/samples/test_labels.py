"""Labels, groups and classes that embedders take, and those that are refused."""

from decimal import Decimal
from enum import Enum

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skfer import CrossEntropyEmbedder
from skfer.exceptions import ArgumentError


def test_one_sample_of_a_class_is_enough(embedder, faces):
    keep = np.flatnonzero((faces.target != 0) | (np.arange(len(faces.target)) == 0))
    assert (faces.target[keep] == 0).sum() == 1
    embedder.fit(faces.images[keep], faces.target[keep])
    assert len(embedder.classes_) == 4


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_training_that_goes_on_needs_two_labels(embedder, rows, how):
    X, y = rows
    embedder.set_params(max_epochs=1, warm_start=True).fit(X, y)
    before = embedder.transform(X)
    labels = [[y[0]]]
    if embedder.accepts_unlabeled:
        labels += [[y[0], None, None, None], [None] * 9]
    for given in labels:
        n = len(given) - given.count(None)
        with pytest.raises(ArgumentError, match=rf"y has {n} labeled samples: .* at least two"):
            getattr(embedder, how)(X[: len(given)], np.array(given, dtype=object))
    assert_array_equal(embedder.transform(X), before)
    assert embedder.n_iter_ == 1
    getattr(embedder, how)(X[:2], y[:2])


def test_minus_one_of_two_labels_is_a_class(embedder, rows):
    X, y = rows
    embedder.fit(X, np.where(y == "joy", -1, 1))
    assert_array_equal(embedder.classes_, [-1, 1])


BAD_GROUPS = {
    "missing": ([None] * 40, "groups has no group for 40 samples, such as None for sample 0"),
    "nan": (
        np.where(np.arange(40) == 3, np.nan, 1),
        "no group for 1 samples, such as .*nan.* for sample 3",
    ),
    "pandas' NA": (np.array(["a", pd.NA] * 20), "no group for 20 samples, such as <NA>"),
    "2-d": (np.zeros((40, 2)), r"groups must be one-dimensional.* shape \(40, 2\)"),
    "scalar": (3, "groups must be an array or a list.*, got 3"),
    "mixed": (np.array([1, "a"] * 20, dtype=object), "groups mixes numbers and words"),
    "length": (np.zeros(7), "groups has 7 entries but X has 40 rows"),
}


@pytest.mark.parametrize("case", BAD_GROUPS)
def test_bad_groups(embedder, rows, case):
    groups, message = BAD_GROUPS[case]
    with pytest.raises(ValueError, match=message):
        embedder.fit(*rows, groups=groups)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda g: np.array(g)[:, None]])
def test_groups_of_all_kinds(rows, kind):
    model = CrossEntropyEmbedder(16, max_epochs=1, early_stopping=True, random_state=0)
    names = [f"person {i % 5}" for i in range(40)]
    expected = clone(model).fit(*rows, groups=names).transform(rows[0])
    assert_array_equal(model.fit(*rows, groups=kind(names)).transform(rows[0]), expected)


BAD_CLASSES = {
    "nan": ([0.0, np.nan, 1.0], "classes must have no missing values, got .*nan"),
    "2-d": (np.zeros((3, 2)), r"classes must be one-dimensional.* \(3, 2\)"),
    "one": (["joy"], "at least two classes"),
    "too few": (["joy", "awe"], "y holds .*'rage'.*takes all that will come as classes="),
}


@pytest.mark.parametrize("case", BAD_CLASSES)
def test_bad_classes(embedder, rows, case):
    classes, message = BAD_CLASSES[case]
    with pytest.raises(ValueError, match=message):
        embedder.partial_fit(*rows, classes=classes)


def test_classes_of_later_calls(embedder, rows):
    X, y = rows
    with pytest.raises(ValueError, match=r"at least two classes in y.*as classes="):
        embedder.partial_fit(X, ["joy"] * 40)
    embedder.partial_fit(X, ["joy"] * 40, classes=["rage", "joy", "awe"])
    embedder.partial_fit(X, y, classes=["awe", "rage", "joy"]).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"classes=\['awe', 'joy'\] is not the same as in the fi"):
        embedder.partial_fit(X, y, classes=["joy", "awe"])


@pytest.mark.parametrize(
    ("names", "mark"),
    [(["joy", "rage", "awe"], m) for m in ("-1", None, float("nan"), "nan", "")]
    + [([0, 1, 2], m) for m in (-1, -1.0, float("nan"), None)],
)
def test_unlabeled_samples_are_refused_or_used(embedder, rows, names, mark):
    y = [names[i % 3] if i % 4 else mark for i in range(40)]
    if embedder.accepts_unlabeled:
        assert embedder.fit(rows[0], y).classes_.tolist() == sorted(names)
        return
    with pytest.raises(ValueError, match=r"y has no label for 10 samples, such as .* leave"):
        embedder.fit(rows[0], y)


def test_words_beside_numbers_are_refused(embedder, rows):
    y = [1, "1", 2, "joy"] * 10
    with pytest.raises(ValueError, match="y mixes numbers and words, such as 1 and '1'"):
        embedder.fit(rows[0], y)


def test_labels_of_another_kind_cannot_come_later(embedder, rows):
    X, y = rows
    embedder.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y holds \[0, 1, 2\], but training began with"):
        embedder.partial_fit(X, np.arange(40) % 3)


# Of Python's kind before StrEnum, whose text is "Emotion.AWE".
Emotion = Enum("Emotion", {"AWE": "awe", "JOY": "joy", "RAGE": "rage"}, type=str)


def test_members_of_an_enumeration_of_words(embedder, rows):
    X, y = rows
    expected = embedder.fit(X, y).transform(X)
    members = [Emotion(word) for word in y]
    for labels in (members, np.array(members, dtype=object)):
        assert embedder.fit(X, labels).classes_.tolist() == ["awe", "joy", "rage"]
        assert_array_equal(embedder.transform(X), expected)
        assert_array_equal(np.array(members, dtype=object) == y, np.ones(40, dtype=bool))


def test_votes_in_columns_named_by_members(rows):
    X, y = rows
    shares = pd.DataFrame(np.eye(3)[np.unique(y, return_inverse=True)[1]])
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
    expected = model.fit(X, y, votes=shares.to_numpy()).transform(X)
    members = pd.Index(list(Emotion), dtype=object)
    votes = shares.set_axis(members, axis=1).iloc[:, ::-1]
    assert_array_equal(model.fit(X, y, votes=votes).transform(X), expected)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (Enum("Mood", ["GOOD"]).GOOD, r"y must hold words .* got <Mood.GOOD: 1>: .*label.name for"),
        (Decimal("1.5"), r"y must hold words .* got Decimal\('1.5'\): .*map\(str, y\)"),
        (2**70, r"y must hold words or integers of at most 64 bits, got 1180591620717411303424"),
    ],
    ids=["member", "decimal", "large"],
)
def test_labels_that_are_neither_words_nor_numbers(embedder, rows, label, message):
    y = np.array([label] * 40, dtype=object)
    with pytest.raises(ArgumentError, match=message):
        embedder.fit(rows[0], y)
