"""Subject folds and official splits, alone and inside scikit-learn."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_validate

from skfer.model_selection import OfficialSplit, SemiSupervisedSplit, SubjectKFold

PROPERTY = settings(deadline=None, max_examples=60)


@pytest.fixture
def faces():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.tile([0, 1, 2], 20)
    return X, y, rng.permutation(np.repeat(np.arange(12), 5))


@PROPERTY
@given(
    subjects=st.one_of(
        st.lists(st.integers(-5, 30), min_size=2, max_size=60),
        st.lists(st.text(alphabet="SM0123", min_size=1, max_size=4), min_size=2, max_size=60),
    ).filter(lambda ids: len(set(ids)) >= 2),
    data=st.data(),
)
def test_subject_folds_are_disjoint_and_cover_all(subjects, data):
    ids = sorted(set(subjects))
    if all(str(subject).isdecimal() for subject in ids):
        ids.sort(key=lambda subject: (int(subject), subject))
    subjects = np.array(subjects)
    n_splits = data.draw(st.integers(2, len(ids)))
    cv = SubjectKFold(n_splits)
    folds = list(cv.split(subjects, groups=subjects))
    assert len(folds) == cv.get_n_splits() == n_splits
    for k, (train, test) in enumerate(folds):
        assert sorted(set(subjects[test])) == sorted(ids[k::n_splits])
        assert not set(subjects[train]) & set(subjects[test])
        assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(subjects)))
    assert_array_equal(
        np.sort(np.concatenate([test for _, test in folds])), np.arange(len(subjects))
    )


def test_ck_plus_protocol_by_hand():
    subjects = np.array([f"S{number:03}" for number in range(5, 30)])
    folds = list(SubjectKFold().split(subjects, groups=subjects))
    assert len(folds) == 10
    assert subjects[folds[0][1]].tolist() == ["S005", "S015", "S025"]
    assert subjects[folds[9][1]].tolist() == ["S014", "S024"]


def test_ids_that_are_whole_numbers_are_in_order_of_size():
    for subjects in (np.arange(1, 13), np.arange(1, 13).astype(str), np.arange(1, 13).astype("O")):
        folds = list(SubjectKFold(3).split(subjects, groups=subjects))
        assert subjects[folds[0][1]].tolist() == [*subjects[[0, 3, 6, 9]]]
    mixed = np.array(["1", "2", "10", "S3"])  # by letter
    folds = list(SubjectKFold(4).split(mixed, groups=mixed))
    assert [mixed[test].tolist() for _, test in folds] == [["1"], ["10"], ["2"], ["S3"]]


@pytest.mark.parametrize(
    "groups",
    [
        ["a", "b", ""],
        ["a", "b", None],
        ["a", "b", "nan"],
        ["a", "b", "NA"],
        [1.0, 2.0, np.nan],
        pd.array(["a", "b", None], "string"),
    ],
)
def test_samples_of_nobody_are_told(groups):
    with pytest.raises(
        ValueError, match=r"groups has no group for 1 samples, such as .* for sample 2"
    ):
        list(SubjectKFold(2).split(range(3), groups=groups))


def test_order_of_samples_does_not_change_a_subjects_fold(faces):
    X, _, groups = faces
    order = np.random.default_rng(1).permutation(len(X))
    cv = SubjectKFold(5)
    pairs = zip(cv.split(X, groups=groups), cv.split(X, groups=groups[order]), strict=True)
    for (_, test), (_, test_shuffled) in pairs:
        assert set(groups[test]) == set(groups[order][test_shuffled])


@pytest.mark.parametrize(
    ("n_splits", "groups", "message"),
    [
        (2, None, "groups is missing"),
        (4, [1, 2, 3, 1], "n_splits must be at most 3, the number of subjects in groups, got 4"),
        (1, [1, 2, 3, 1], "n_splits must be a whole number of at least 2"),
        (2.5, [1, 2, 3, 1], "n_splits must be a whole number of at least 2"),
        (2, ["a", 1, 3, 2], "groups mixes words and numbers"),
        (2, [1, 2], "groups has 2 entries but X has 4 rows"),
    ],
)
def test_subject_fold_errors_name_the_argument(n_splits, groups, message):
    if groups is not None and "a" in groups:
        groups = np.array(groups, dtype=object)
    with pytest.raises(ValueError, match=message):
        list(SubjectKFold(n_splits).split(np.zeros((4, 1)), groups=groups))


def test_subject_folds_in_cross_validation_and_search(faces):
    X, y, groups = faces
    cv = SubjectKFold(4)
    result = cross_validate(DummyClassifier(), X, y, groups=groups, cv=cv)
    assert len(result["test_score"]) == 4
    search = GridSearchCV(DummyClassifier(), {"strategy": ["prior"]}, cv=cv)
    assert search.fit(X, y, groups=groups).n_splits_ == 4
    with config_context(enable_metadata_routing=True):
        result = cross_validate(DummyClassifier(), X, y, params={"groups": groups}, cv=cv)
        assert len(result["test_score"]) == 4


PARTS = np.array(["train", "validation", "train", "test", "train", "test"])


@pytest.mark.parametrize(
    ("options", "train", "test"),
    [
        ({}, [0, 2, 4], [3, 5]),
        ({"test": "validation"}, [0, 2, 4], [1]),
        ({"train": ("train", "validation")}, [0, 1, 2, 4], [3, 5]),
        ({"test": ["test", "validation"]}, [0, 2, 4], [1, 3, 5]),
    ],
)
def test_official_split_by_hand(options, train, test):
    cv = OfficialSplit(PARTS, **options)
    folds = list(cv.split(np.zeros((6, 2))))
    assert len(folds) == cv.get_n_splits() == 1
    assert_array_equal(folds[0][0], train)
    assert_array_equal(folds[0][1], test)


def test_official_split_falls_back_to_validation():
    parts = np.array(["train", "validation"], dtype=object)
    ((train, test),) = OfficialSplit(parts).split([0, 1])
    assert (train.tolist(), test.tolist()) == ([0], [1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": "Training"}, r"train names 'Training', but parts holds \['test'"),
        ({"test": ()}, r"test must be the name of a part or a list of names, got \(\)"),
        ({"train": ("train", "test")}, r"train and test both name \['test'\]"),
    ],
)
def test_official_split_errors_name_the_argument(options, message):
    with pytest.raises(ValueError, match=message):
        list(OfficialSplit(PARTS, **options).split(PARTS))


def test_official_split_belongs_to_its_rows():
    with pytest.raises(ValueError, match="X has 5 rows but parts has 6"):
        list(OfficialSplit(PARTS).split(np.zeros((5, 2))))


def test_official_split_tests_a_part_that_has_labels():
    """The owners of some sets keep those of the test part back."""
    y = np.array([0, 1, 1, -1, 2, -1])
    ((train, test),) = OfficialSplit(PARTS).split(PARTS, y)
    assert (train.tolist(), test.tolist()) == ([0, 2, 4], [1])
    ((_, test),) = SemiSupervisedSplit(OfficialSplit(PARTS)).split(PARTS, y)
    assert test.tolist() == [1]
    words = np.array(["joy", None, "joy", "fear", "fear", None], dtype=object)
    ((_, test),) = OfficialSplit(PARTS).split(PARTS, words)
    assert test.tolist() == [3, 5]  # some of it has labels
    ((_, test),) = OfficialSplit(PARTS).split(PARTS, np.zeros((6, 2)))  # several targets
    assert test.tolist() == [3, 5]
    message = r"test names \['test'\], of which no sample has a label in y: name a part that has"
    for cv in (OfficialSplit(PARTS, test="test"), OfficialSplit(np.delete(PARTS, 1))):
        labels = y if len(cv.parts) == 6 else np.delete(y, 1)
        with pytest.raises(ValueError, match=message):
            next(cv.split(labels, labels))


def test_official_split_in_cross_validation(faces):
    X, y, _ = faces
    parts = np.where(np.arange(60) < 40, "train", "test")
    result = cross_validate(DummyClassifier(), X, y, cv=OfficialSplit(parts), return_indices=True)
    assert_array_equal(result["indices"]["test"][0], np.arange(40, 60))


@pytest.mark.parametrize("cv", [SubjectKFold(3), OfficialSplit(PARTS, test="validation")])
def test_splitters_copy_and_show_their_parameters(cv):
    for twin in (clone(cv, safe=False), copy.deepcopy(cv)):
        assert repr(twin) == repr(cv)
    assert repr(cv).startswith(("SubjectKFold(n_splits=3)", "OfficialSplit(parts="))
