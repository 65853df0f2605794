"""Samples without a label in a comparison: learned from where they may be, never tested."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder
from skfer.embedders import WithLabels
from skfer.evaluation import check_folds, compare, comparison_tables, confusion_matrix
from skfer.evaluation._unlabeled import takes_unlabeled
from skfer.exceptions import ArgumentError
from skfer.model_selection import SemiSupervisedSplit

RNG = np.random.default_rng(0)
CODES = np.arange(48) % 3
X = RNG.random((48, 5)) + CODES[:, None]
UNKNOWN = np.flatnonzero(np.arange(48) % 4 == 1)
Y = CODES.copy()
Y[UNKNOWN] = -1
SPLITS = list(SemiSupervisedSplit(StratifiedKFold(2)).split(X, Y))
GAUSSIAN = GaussianMetricEmbedder(4, max_epochs=2, random_state=0)
CROSS_ENTROPY = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
told = []


class Listening(TransformerMixin, BaseEstimator):
    """Tells what its fit is given."""

    def fit(self, X, y):
        told.append((X, y))
        return self

    def transform(self, X):
        return X


class Accepting(Listening):
    accepts_unlabeled = True


@pytest.fixture(autouse=True)
def _nothing_told():
    told.clear()


def test_who_accepts_them_learns_from_all_and_others_from_labels():
    methods = {"one": Accepting(), "other": Listening()}
    fits = list(compare(methods, X, Y, SPLITS))
    for fit, (X_seen, y_seen) in zip(fits, told, strict=True):
        train, test = SPLITS[fit.fold]
        known = train[Y[train] >= 0]
        rows = train if fit.method == "one" else known
        assert_array_equal(X_seen, X[rows])
        assert_array_equal(y_seen, Y[rows])
        classifier = KNeighborsClassifier(5).fit(X[known], Y[known])
        assert fit.predicted == classifier.predict(X[test]).tolist()
        assert (fit.n_train, fit.n_test) == (len(known), len(test))
        assert fit.n_unlabeled == (12 if fit.method == "one" else 0)


def test_the_embedder_itself_predicts():
    (fit,) = compare({"g": GAUSSIAN}, X, Y, SPLITS[:1], classifier="own")
    train, test = SPLITS[0]
    alone = clone(GAUSSIAN).fit(X[train], Y[train])
    assert fit.predicted == alone.predict(X[test]).tolist()
    assert fit.scores["accuracy"] == alone.score(X[test], Y[test])
    assert fit.scores["ece"] is not None


def test_test_parts_are_left_without_them():
    whole = [(np.arange(24), np.arange(24, 48))]
    (fit,) = compare({"a": Listening()}, X, Y, whole, groups=np.arange(48) // 3)
    assert fit.n_test == len(fit.predicted) == 18
    assert len(fit.points) == 18


WAYS = {
    "numbers": (CODES, -1),
    "floats": (CODES.astype(float), np.nan),
    "numbers among None": (CODES.astype(object), None),
    "words": (np.array(["a", "b", "c"])[CODES], "-1"),
    "words among None": (np.array(["a", "b", "c"], dtype=object)[CODES], None),
    "words among NaN": (np.array(["a", "b", "c"], dtype=object)[CODES], np.nan),
    "words among NA": (np.array(["a", "b", "c"], dtype=object)[CODES], pd.NA),
    "two classes among None": (np.where(CODES, 1, -1).astype(object), None),
}


@pytest.mark.parametrize("kind", [list, pd.Series])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("classifier", ["knn", "own"])
def test_all_marks_that_fit_knows(way, kind, classifier):
    labels, mark = WAYS[way]
    y = labels.astype(labels.dtype if isinstance(mark, str | int) else object)
    if isinstance(mark, str):
        y = y.astype("U2")
    y[UNKNOWN] = mark
    folds = SPLITS[:1]
    methods = {"ce": CROSS_ENTROPY, "g": clone(GAUSSIAN).set_params(max_epochs=1)}
    fits = list(compare(methods, X, kind(y.tolist()), folds, classifier=classifier))
    for fit in fits:
        assert fit.n_unlabeled == (12 if fit.method == "g" else 0)
        assert set(fit.predicted) <= set(labels.tolist())
        assert len(fit.predicted) == len(folds[0][1])


def test_who_takes_unlabeled():
    assert takes_unlabeled(GAUSSIAN)
    assert takes_unlabeled(make_pipeline(StandardScaler(), GAUSSIAN, "passthrough"))
    assert takes_unlabeled(WithLabels(GAUSSIAN))
    assert not takes_unlabeled(CROSS_ENTROPY)
    assert not takes_unlabeled(PCA(2))
    assert not takes_unlabeled(make_pipeline(StandardScaler(), CROSS_ENTROPY))
    # A step before it that learns from labels would take -1 for one more class.
    assert not takes_unlabeled(make_pipeline(SelectKBest(k=2), GAUSSIAN))


def test_groups_go_along():
    seen = []

    class Stopping(GaussianMetricEmbedder):
        def fit(self, X, y, groups=None):
            seen.append(groups)
            return super().fit(X, y)

    groups = np.arange(48) // 2
    model = Stopping(4, max_epochs=1, early_stopping=True, random_state=0)
    list(compare({"g": model}, X, Y, SPLITS[:1], groups=groups))
    assert_array_equal(seen[0], groups[SPLITS[0][0]])


REFUSED = {
    "labels of one class to train on": [(np.flatnonzero(Y < 1), np.arange(48))],
    "no labels to train on": [(UNKNOWN, np.arange(48))],
    "no labels to test on": [(np.arange(48), UNKNOWN)],
}


@pytest.mark.parametrize("lack", REFUSED)
def test_folds_that_lack_labels_are_refused_before_anything_is_trained(lack):
    splits = [SPLITS[0], *REFUSED[lack]]
    with pytest.raises(ArgumentError, match=f"splits has {lack} in fold 1"):
        list(compare({"a": Accepting()}, X, Y, splits))
    assert told == []


def test_folds_are_checked_by_their_labels():
    check_folds(Y, SPLITS, "knn")
    few = np.concatenate([UNKNOWN, [0, 2, 3]])
    with pytest.raises(ArgumentError, match="fold 0 has 3 images to train on, and classifier=knn"):
        check_folds(Y, [(few, np.arange(48))], "knn")
    check_folds(Y, [(few, np.arange(48))], "svm")


def test_kept_fits_tell_how_many_there_were(tmp_path):
    path = tmp_path / "x"
    first = list(compare({"a": Accepting()}, X, Y, SPLITS, results=path))
    told.clear()
    assert sorted(compare({"a": Accepting()}, X, Y, SPLITS, results=path), key=_fold) == first
    assert told == []
    other = np.where(Y < 0, CODES, Y)
    list(compare({"a": Accepting()}, X, other, SPLITS, results=path))
    assert len(told) == 2


def test_fits_that_were_kept_before_they_were_counted_are_read(tmp_path):
    path = tmp_path / "x"
    (fit,) = compare({"a": Listening()}, X, CODES, SPLITS[:1], results=path)
    record = json.loads(path.read_text())
    del record["n_unlabeled"]
    path.write_text(json.dumps(record) + "\n")
    told.clear()
    assert list(compare({"a": Listening()}, X, CODES, SPLITS[:1], results=path)) == [fit]
    assert told == []


def test_tables_tell_how_many_there_were():
    groups, names = np.arange(48) // 3, np.array(["anger", "fear", "joy"])
    faces = Bunch(images=X, target=Y, target_names=names, groups=groups, subgroup=groups % 2)
    folds = [(np.arange(24), np.arange(24, 48)), (np.arange(24, 48), np.arange(24))]
    fits = list(compare({"one": Accepting(), "other": Listening()}, X, Y, folds, groups=groups))
    tables = comparison_tables(faces, folds, fits)
    assert [name for name, _ in tables[0].rows] == ["one (and 6 without a label)", "other"]
    assert tables[2].columns == names.tolist()
    as_objects = np.where(Y < 0, None, Y)
    for y in (Y, as_objects):
        counts = confusion_matrix(fits, y, folds, "other")
        assert counts.sum(axis=1).tolist() == [12, 12, 12]


def _fold(fit):
    return fit.fold
