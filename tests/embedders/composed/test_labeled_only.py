"""LabeledOnly: a classifier that does not take -1 for a class."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import skfer
from skfer import GaussianMetricEmbedder
from skfer.embedders import LabeledOnly
from skfer.model_selection import SemiSupervisedSplit

EMBEDDER = GaussianMetricEmbedder(8, max_epochs=8, random_state=0)


@parametrize_with_checks(
    [LabeledOnly(LogisticRegression()), LabeledOnly(LinearDiscriminantAnalysis())]
)
def test_check(estimator, check):
    if "array_api" not in str(check):  # it would skip itself
        check(estimator)


@pytest.fixture
def partly(rows):
    """Rows of which every other one has no label."""
    X, y = rows
    codes = np.unique(y, return_inverse=True)[1]
    known = np.arange(len(y)) % 2 == 0
    return X, codes, known


@pytest.mark.parametrize("mark", [-1, None, np.nan])
def test_it_learns_from_labeled_samples_alone(partly, mark):
    X, codes, known = partly
    y = codes.astype(object)
    y[~known] = mark
    model = LabeledOnly(LogisticRegression(C=0.1)).fit(X, y)
    expected = LogisticRegression(C=0.1).fit(X[known], codes[known])
    assert_array_equal(model.classes_, expected.classes_)
    assert model.classes_.dtype == expected.classes_.dtype
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert_array_equal(getattr(model, method)(X), getattr(expected, method)(X))
    assert model.score(X, y) == expected.score(X[known], codes[known])
    weights = np.linspace(0, 1, len(y))
    model.fit(X, y, sample_weight=weights)
    expected.fit(X[known], codes[known], sample_weight=weights[known])
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(X, y, sample_weight=weights) == expected.score(
        X[known], codes[known], weights[known]
    )


def test_minus_one_and_one_are_two_classes(rows):
    X = rows[0]
    y = np.where(np.arange(len(X)) % 2, 1, -1)
    assert LabeledOnly(LogisticRegression()).fit(X, y).classes_.tolist() == [-1, 1]


def test_it_has_the_methods_of_what_it_wraps():
    assert not hasattr(LabeledOnly(LinearSVC()), "predict_proba")
    assert not hasattr(LabeledOnly(LogisticRegression()), "transform")
    assert is_classifier(LabeledOnly(LogisticRegression()))


def test_behind_an_embedder_that_learns_from_all(partly, tmp_path):
    X, codes, known = partly
    y = np.where(known, codes, -1)
    model = make_pipeline(clone(EMBEDDER), LabeledOnly(KNeighborsClassifier(3))).fit(X, y)
    embedder = clone(EMBEDDER).fit(X, y)
    expected = KNeighborsClassifier(3).fit(embedder.transform(X[known]), codes[known])
    assert_array_equal(model.predict(X), expected.predict(embedder.transform(X)))
    skfer.save(model, tmp_path / "model.skfer")
    assert_array_equal(skfer.load(tmp_path / "model.skfer").predict(X), model.predict(X))


def test_in_searches_and_comparisons(partly):
    X, codes, known = partly
    y = np.where(known, codes, -1)
    model = make_pipeline(clone(EMBEDDER), LabeledOnly(KNeighborsClassifier(1)))
    folds = SemiSupervisedSplit(StratifiedKFold(2))
    search = GridSearchCV(model, {"labeledonly__estimator__n_neighbors": [1, 3]}, cv=folds)
    assert search.fit(X, y).best_score_ > 0.5
    plain = make_pipeline(clone(EMBEDDER), KNeighborsClassifier(1))
    assert cross_val_score(model, X, y, cv=folds).mean() > (
        cross_val_score(plain, X, y, cv=folds).mean()
    )


@pytest.mark.usefixtures("routing")
def test_weights_are_routed(partly):
    X, codes, known = partly
    y, weights = np.where(known, codes, -1), np.linspace(0, 1, len(codes))
    learner = LogisticRegression().set_fit_request(sample_weight=True)
    learner.set_score_request(sample_weight=True)
    model = make_pipeline(MinMaxScaler(), LabeledOnly(learner)).fit(X, y, sample_weight=weights)
    scaled = MinMaxScaler().fit_transform(X)
    expected = LogisticRegression().fit(scaled[known], codes[known], weights[known])
    assert_array_equal(model.predict_proba(X), expected.predict_proba(scaled))
    with pytest.raises(TypeError, match="sample_weight"):
        LabeledOnly(KNeighborsClassifier()).fit(X, y, sample_weight=weights)


def test_bad_input(rows):
    X, y = rows
    with pytest.raises(ValueError, match=r"y has no labels: give some\."):
        LabeledOnly(LogisticRegression()).fit(X, np.full(len(X), None))
    with pytest.raises(ValueError, match="X and y must have the same length"):
        LabeledOnly(LogisticRegression()).fit(X, y[1:])
