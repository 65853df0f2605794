"""The Gaussian embedder where few samples have a label."""

import numpy as np
import pandas as pd
import pytest
from helpers.small_gaussian import small_gaussian
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skfer.embedders import base
from skfer.model_selection import SemiSupervisedSplit


@pytest.fixture
def few(blobs):
    """The blobs, with codes for classes, nine in ten unlabeled."""
    X, y, _ = blobs
    codes = np.unique(y, return_inverse=True)[1]
    return X, codes, np.where(np.arange(300) % 10 == 0, codes, -1)


def test_unlabeled_samples_get_labels(few):
    X, truth, y = few
    model = small_gaussian(max_epochs=20).fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert_array_equal(model.transduction_[y >= 0], truth[y >= 0])
    assert (model.transduction_ == truth).mean() > 0.9
    assert model.score(X, truth) > 0.9
    assert (model.subclass_labels_ >= 0).all()
    assert_allclose(model.weights_, np.bincount(model.transduction_) / 300)


def test_unlabeled_samples_with_subclasses(few):
    X, truth, y = few
    y = np.where(np.arange(300) % 2 == 0, truth, -1)
    model = small_gaussian(max_epochs=15, max_subclasses=2).fit(X, y)
    assert_array_equal(model.subclass_to_class_[model.subclass_labels_], model.transduction_)
    assert (model.transduction_ == truth).mean() > 0.9


def test_unlabeled_samples_help_to_find_subclasses(blobs):
    X, y, blob = blobs
    truth = np.unique(y, return_inverse=True)[1]
    # Eighteen labels of a class allow no split; sure samples without a label make it large enough.
    few = np.where(np.arange(300) % 60 < 9, truth, -1)
    sizes = {"max_epochs": 6, "max_subclasses": 2, "samples_per_class": 8}
    model = small_gaussian(**sizes).fit(X, few)
    assert_array_equal(model.n_subclasses_, [1, 2, 2])
    assert adjusted_rand_score(blob, model.subclass_labels_) > 0.9
    unsure = small_gaussian(**sizes, unlabeled_threshold=1.0).fit(X, few)
    assert_array_equal(unsure.n_subclasses_, [1, 1, 1])


def test_unlabeled_samples_are_in_the_batches_once_they_have_pseudo_labels(few):
    X, _, y = few
    seen = []

    class Watch(Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            labels = batch[1]
            n_pseudo = int(labels["is_pseudo"].sum()) if isinstance(labels, dict) else 0
            seen.append((len(batch[0]) - n_pseudo, n_pseudo))

    model = small_gaussian(max_epochs=9, samples_per_class=4, unlabeled_threshold=0.0)
    model.set_params(callbacks=[Watch()]).fit(X, y)
    first = len(seen) // 3
    assert set(seen[:first]) == {(12, 0)}
    assert set(seen[first:]) == {(12, 12)}


def test_pipeline_in_cross_validation_scores_no_unlabeled_sample(few):
    X, truth, y = few
    y = np.where(np.arange(300) % 3 == 0, truth, -1)
    groups = np.arange(300) // 3 % 10
    tested = []

    def score(model, X, y):
        tested.append(y)
        return model.score(X, y)

    result = cross_validate(
        make_pipeline(PCA(4), small_gaussian(max_epochs=15)),
        X,
        y,
        groups=groups,
        cv=SemiSupervisedSplit(GroupKFold(2)),
        scoring=score,
        error_score="raise",
        return_estimator=True,
    )
    assert result["test_score"].min() > 0.9
    assert (np.concatenate(tested) >= 0).all()
    assert len(np.concatenate(tested)) == 100
    for model in result["estimator"]:
        assert_array_equal(model.classes_, [0, 1, 2])
        assert len(model[-1].transduction_) > 100


def test_validation_has_labeled_samples_of_other_subjects(few):
    X, _, y = few
    y[:3] = [0, 1, 2]
    groups = np.arange(300) % 7
    seen = []

    class Watch(Callback):
        def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
            valid = np.unique(np.concatenate(dataset_valid.sampler))
            seen.append((dataset_train.sampler.subset, valid))

    model = small_gaussian(early_stopping=True, validation_fraction=0.3, callbacks=[Watch()])
    model.fit(X, y, groups=groups)
    train, valid = seen[0]
    assert (y[valid] >= 0).all()
    assert (y[train] < 0).any()
    assert not set(groups[train]) & set(groups[valid])


def test_partial_fit_takes_unlabeled_samples_of_any_batch(few):
    X, truth, _ = few
    model = small_gaussian(max_epochs=1)
    # One other label in the batch: -1 is no class, since the classes are known.
    y = np.where(np.arange(len(truth)) % 3 == 0, -1, truth)
    keep = (y == -1) | (y == 0)
    model.partial_fit(X[keep], y[keep], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, np.where(np.arange(len(truth)) % 3 == 0, -1, truth))
    assert set(model.transduction_.tolist()) <= {0, 1, 2}
    with pytest.raises(ValueError, match="needs at least two"):
        model.partial_fit(X, np.full(len(X), -1))
    anywhere = model.predict_subclass(X, np.full(len(X), -1))
    assert_array_equal(anywhere, model.predict_subclass(X))


def test_partial_fit_counts_samples_and_keeps_absent_classes(few):
    X, truth, _ = few
    model = small_gaussian(covariance_type="diag")
    first = truth < 2
    model.partial_fit(X[first], truth[first], classes=[0, 1, 2])
    assert_allclose(model.weights_, [1 / 3, 2 / 3, 0])
    assert (model.predict_proba(X)[:, 2] == 0).all()
    before = clone(model), model.means_[:2].copy(), model.covariances_[:2].copy()
    model.partial_fit(X[~first], truth[~first])
    assert_allclose(model.weights_, [0.2, 0.4, 0.4])
    assert_array_equal(model.means_[:2], before[1])
    assert_array_equal(model.covariances_[:2], before[2])
    assert np.isfinite(model.score_samples(X)).all()
    model.fit(X, truth)
    assert_allclose(model.weights_, [0.2, 0.4, 0.4])


def _marked(y, mark, dtype=object):
    y = y.astype(dtype)
    y[::4] = mark
    return y


MARKS = {
    "word": lambda y: _marked(y, "-1", "U4"),
    "missing word": lambda y: _marked(y, "NA", "U4"),
    "None": lambda y: _marked(y, None),
    "NaN among words": lambda y: _marked(y, float("nan")).tolist(),
    "pandas": lambda y: pd.Series(_marked(y, None)),
    "categories": lambda y: pd.Series(_marked(y, None), dtype="category"),
    "masked": lambda y: np.ma.array(y, mask=np.arange(len(y)) % 4 == 0),
}


@pytest.mark.parametrize("marked", MARKS.values(), ids=MARKS)
def test_unlabeled_marks_among_words(rows, marked):
    X, y = rows
    model = small_gaussian(max_epochs=2).fit(X, marked(y))
    expected = small_gaussian(max_epochs=2).fit(
        X, np.where(np.arange(40) % 4 == 0, -1, codes_of(y))
    )
    assert model.classes_.tolist() == ["awe", "joy", "rage"]
    assert_array_equal(codes_of(model.transduction_), expected.transduction_)
    model.partial_fit(X, marked(y))


def codes_of(y):
    return np.unique(y.astype(str), return_inverse=True)[1]


@pytest.mark.parametrize("mark", [-1.0, np.nan, None, "<NA>"])
def test_unlabeled_marks_among_numbers(rows, mark):
    X, codes = rows[0], codes_of(rows[1])
    y = pd.array(_marked(codes, None), dtype="Int64") if mark == "<NA>" else _marked(codes, mark)
    y = y.astype(float) if isinstance(mark, float) else y
    model = small_gaussian(max_epochs=2).fit(X, y)
    expected = small_gaussian(max_epochs=2).fit(X, _marked(codes, -1, int))
    assert_array_equal(model.classes_, [0, 1, 2])
    assert (model.classes_.dtype.kind == "f") == (mark is np.nan or mark == -1.0)
    assert_array_equal(model.transduction_, expected.transduction_)
    model.partial_fit(X, y)
    assert_array_equal(model.predict_subclass(X, y), model.predict_subclass(X, _marked(codes, -1)))


def test_missing_labels_are_unlabeled_beside_two_classes_too(rows):
    X, y = rows
    model = small_gaussian(max_epochs=1).fit(
        X, np.where(y == "joy", 1.0, np.where(y == "awe", -1, np.nan))
    )
    assert_array_equal(model.classes_, [-1, 1])
    assert set(model.transduction_) <= {-1, 1}


def test_the_labels_of_the_validation_set_teach_nothing(few, monkeypatch):
    X, _, y = few
    labeled = np.flatnonzero(y >= 0)
    valid = labeled[::3]
    split = np.setdiff1d(np.arange(300), valid), valid
    monkeypatch.setattr(base, "validation_split", lambda *given: split)

    def losses(y):
        model = small_gaussian(
            max_epochs=8, early_stopping=True, n_iter_no_change=8, schedule="constant"
        )
        return [epoch["train_loss"] for epoch in model.fit(X, y).history_]

    wrong = y.copy()
    wrong[valid] = (y[valid] + 1) % 3
    told, again = losses(y), losses(wrong)
    assert len(told) > 4
    assert told == again
