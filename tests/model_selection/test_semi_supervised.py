"""Unlabeled samples: in every training set, in no test set, and no subject leaks by them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.semi_supervised import SelfTrainingClassifier

from skfer.model_selection import OfficialSplit, SemiSupervisedSplit, SubjectKFold

SPLITTERS = [
    KFold(2),
    KFold(2, shuffle=True, random_state=0),
    StratifiedKFold(2),
    ShuffleSplit(3, random_state=0),
    2,
    GroupKFold(2),
    SubjectKFold(2),
    LeaveOneGroupOut(),
]


@st.composite
def partly_labeled(draw):
    """Labels with at least two samples and two groups of two classes, and -1 for the rest."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 40))
    y = np.r_[[0, 0, 1, 1], rng.integers(-1, 3, size=n)]
    if (y == 2).sum() == 1:
        y[y == 2] = 1
    groups = np.r_[[0, 1, 0, 1], rng.integers(draw(st.integers(1, 8)), size=n)]
    order = rng.permutation(n + 4)
    return y[order], groups[order]


@settings(deadline=None, max_examples=100)
@given(problem=partly_labeled(), cv=st.sampled_from(SPLITTERS), drop=st.booleans())
def test_unlabeled_are_learned_from_and_never_scored(problem, cv, drop):
    y, groups = problem
    X = np.zeros((len(y), 2, 2))
    labeled = np.flatnonzero(y != -1)
    split = SemiSupervisedSplit(cv, drop_test_groups=drop)
    folds = list(split.split(X, y, groups))
    assert len(folds) == split.get_n_splits(X, y, groups)
    plain = StratifiedKFold(cv) if isinstance(cv, int) else cv
    takes_groups = isinstance(plain, GroupKFold | SubjectKFold | LeaveOneGroupOut)
    expected = plain.split(labeled, y[labeled], groups[labeled] if takes_groups else None)
    for (train, test), (plain_train, plain_test) in zip(folds, expected, strict=True):
        assert_array_equal(test, labeled[plain_test])
        assert_array_equal(train[y[train] != -1], np.sort(labeled[plain_train]))
        unlabeled = np.flatnonzero(y == -1)
        if drop:
            unlabeled = unlabeled[~np.isin(groups[unlabeled], groups[test])]
        assert_array_equal(train[y[train] == -1], unlabeled)


@settings(deadline=None, max_examples=40)
@given(problem=partly_labeled(), cv=st.sampled_from([GroupKFold(2), SubjectKFold(2)]))
def test_no_subject_is_on_both_sides(problem, cv):
    y, groups = problem
    for train, test in SemiSupervisedSplit(cv).split(y, y, groups):
        assert not set(groups[train]) & set(groups[test])


Y = np.array([0, -1, 1, 2, -1, 0, 1, -1])
PARTS = np.array(["train", "train", "train", "test", "test", "test", "train", "validation"])


@pytest.mark.parametrize(
    "cv",
    [
        OfficialSplit(PARTS),
        [(np.array([0, 1, 2, 6]), np.array([3, 4, 5]))],
        PredefinedSplit(np.where(PARTS == "test", 0, -1)),
    ],
)
def test_folds_made_for_rows_keep_their_sides(cv):
    split = SemiSupervisedSplit(cv)
    assert split.get_n_splits(Y, Y) == 1
    for _ in range(2):
        ((train, test),) = split.split(Y, Y)
        validation = [7] if isinstance(cv, PredefinedSplit) else []
        assert_array_equal(train, [0, 1, 2, 6, *validation])
        assert_array_equal(test, [3, 5])
    groups = np.array(["a", "b", "c", "b", "d", "e", "f", "g"])
    ((train, _),) = split.split(Y, Y, groups)
    assert_array_equal(train, [0, 2, 6, *validation])


def test_without_unlabeled_samples_nothing_changes():
    y = np.tile([0, 1], 10)
    pairs = zip(SemiSupervisedSplit(4).split(y, y), StratifiedKFold(4).split(y, y), strict=True)
    for (train, test), (plain_train, plain_test) in pairs:
        assert_array_equal(train, plain_train)
        assert_array_equal(test, plain_test)
    words = np.where(y, "joy", "fear")
    assert len(list(SemiSupervisedSplit(4).split(words, words))) == 4


def test_number_of_folds_without_labels():
    assert SemiSupervisedSplit(KFold(7)).get_n_splits() == 7
    assert SemiSupervisedSplit().get_n_splits() == 5
    assert SemiSupervisedSplit(None).get_n_splits() == 5


@pytest.mark.parametrize(
    ("cv", "y", "message"),
    [
        (2, None, "y is missing"),
        (2, [-1, 1, -1, 1], r"y holds the labels \[-1, 1\]"),
        (2, [-1, -1, -1, -1], r"y holds the labels \[-1\]"),
        ([([0, 1], [2])], [0, 1, -1, 1], "cv has no labeled test sample in fold 0"),
        (2, [0, 1, -1], "y has 3 entries but X has 4 rows"),
        (2, [0, np.nan, 0, np.nan], r"y holds the labels \[0.0\]"),
        (2, ["-1", "a", "-1", "a"], "y holds the labels"),
        (1, [0, 1, -1, 0], "cv must be a whole number of at least 2"),
        ("five", [0, 1, -1, 0], "cv must be a splitter, a number of folds, or a list of pairs"),
        ([], [0, 1, -1, 0], "cv must be a splitter"),
        ([([0], [1], [3])], [0, 1, -1, 0], "cv must be a splitter"),
        ({"ab": 1}, [0, 1, -1, 0], "cv must be a splitter"),
    ],
)
def test_errors_name_the_argument(cv, y, message):
    if isinstance(cv, list):
        cv = [tuple(np.array(side) for side in fold) for fold in cv]
    with pytest.raises(ValueError, match=message):
        list(SemiSupervisedSplit(cv).split(np.zeros((4, 1)), y))


@pytest.fixture
def partly_labeled_blobs():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    X = rng.normal(size=(120, 2)) + 6 * np.eye(3)[y][:, :2]
    y[rng.random(120) < 0.5] = -1
    return X, y, rng.integers(12, size=120)


def test_self_training_is_scored_on_true_classes(partly_labeled_blobs):
    X, y, groups = partly_labeled_blobs
    model = SelfTrainingClassifier(LogisticRegression())
    cv = SemiSupervisedSplit(StratifiedGroupKFold(3))
    result = cross_validate(
        model, X, y, groups=groups, cv=cv, return_indices=True, return_estimator=True
    )
    assert (result["test_score"] > 0.8).all()
    for test in result["indices"]["test"]:
        assert (y[test] != -1).all()
    for fitted in result["estimator"]:
        assert fitted.classes_.tolist() == [0, 1, 2]
    search = GridSearchCV(model, {"threshold": [0.7, 0.9]}, cv=cv, error_score="raise")
    assert search.fit(X, y, groups=groups).best_score_ > 0.8


def test_groups_are_routed(partly_labeled_blobs):
    X, y, groups = partly_labeled_blobs
    model = SelfTrainingClassifier(LogisticRegression())
    with config_context(enable_metadata_routing=True):
        for cv in (GroupKFold(3), KFold(3)):
            result = cross_validate(
                model,
                X,
                y,
                params={"groups": groups},
                cv=SemiSupervisedSplit(cv),
                return_indices=True,
            )
            assert len(result["test_score"]) == 3
            for train, test in zip(*result["indices"].values(), strict=True):
                unlabeled = train[y[train] == -1]
                assert not set(groups[unlabeled]) & set(groups[test])


def test_copies_and_shows_its_parameters():
    split = SemiSupervisedSplit(SubjectKFold(3), drop_test_groups=False)
    assert repr(clone(split, safe=False)) == repr(split)
    assert "SubjectKFold(n_splits=3)" in repr(split)
    assert "drop_test_groups=False" in repr(split)


@pytest.mark.parametrize("mark", [-1, -1.0, np.nan, "-1", "", "nan", None], ids=repr)
def test_every_mark_of_an_unlabeled_sample(mark):
    others = ["a", "b"] * 4 if isinstance(mark, str | None) else [0, 1] * 4
    y = np.array([*others, mark, mark], dtype=object if mark is None else None)
    for train, test in SemiSupervisedSplit(2).split(y, y):
        assert set(train) >= {8, 9}
        assert not set(test) & {8, 9}


def test_samples_of_an_unknown_group_are_refused():
    y = np.array([0, 1, 0, 1, -1])
    with pytest.raises(ValueError, match=r"groups has no group for 1 samples, .*for sample 4"):
        list(SemiSupervisedSplit(2).split(y, y, groups=["a", "b", "c", "d", ""]))
