"""Every embedder predicts: by its classifier, by its Gaussians, or by its class means."""

import numpy as np
import pytest
from helpers.embedders import CASES
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import accuracy_score

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder, MultiThresholdEmbedder
from skfer.embedders import BaseEmbedder, ClassifierEmbedder

CLASSIFIERS = [case for case in CASES if hasattr(case.cls, "predict")]


@pytest.fixture(params=CLASSIFIERS, ids=lambda case: case.cls.__name__)
def classifier(request):
    """Each embedder that predicts, unfitted."""
    return request.param.make().set_params(max_epochs=30)


def test_every_embedder_predicts():
    """Those of the package, and the one that the guide makes of the public base."""
    assert {case.cls for case in CASES} == {case.cls for case in CLASSIFIERS}
    assert all(issubclass(case.cls, ClassifierEmbedder) for case in CASES)
    assert not hasattr(BaseEmbedder, "predict")


def test_answers_agree(classifier, rows):
    X, y = rows
    assert is_classifier(classifier)
    model = classifier.fit(X, y)
    P, scores = model.predict_proba(X), model.decision_function(X)
    assert_allclose(P.sum(axis=1), 1)
    assert_allclose(softmax(scores, axis=1), P, atol=1e-12)
    assert_allclose(np.exp(model.predict_log_proba(X)), P, atol=1e-12)
    assert_array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])
    assert model.score(X, y) == accuracy_score(y, model.predict(X)) > 0.8


def test_two_classes_have_one_score(classifier, rows):
    X, y = rows
    two = y != y[0]
    model = classifier.fit(X[two], y[two])
    scores = model.decision_function(X)
    assert scores.shape == (len(X),)
    assert_array_equal(model.predict(X), model.classes_[(scores > 0).astype(int)])


def test_calibration_works(classifier, rows):
    X, y = rows
    model = CalibratedClassifierCV(classifier.set_params(max_epochs=5), cv=2).fit(X, y)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_class_means_predict_where_no_classifier_is_trained(rows):
    X, y = rows
    model = MultiThresholdEmbedder(
        16, n_thresholds=4, classification_weight=0, max_epochs=30, random_state=0
    ).fit(X, y)
    Z = model.transform(X).astype(np.float64)
    means = np.stack([Z[y == label].mean(axis=0) for label in model.classes_])
    residuals = Z - means[np.searchsorted(model.classes_, y)]
    variance = np.square(residuals).sum() / ((len(Z) - len(means)) * Z.shape[1])
    squared = np.square(Z[:, None] - means).sum(axis=2)
    assert_allclose(model.predict_proba(X), softmax(-squared / (2 * variance), axis=1), rtol=1e-6)


def test_class_means_count_on_in_passes(rows):
    X, y = rows
    model = MultiThresholdEmbedder(
        16, n_thresholds=4, classification_weight=0, max_epochs=1, random_state=0
    )
    model.partial_fit(X[:20], y[:20], classes=np.append(y, "zeal"))
    model.partial_fit(X[20:], y[20:])
    assert_array_equal(model._class_counts, [13, 14, 13, 0])
    assert model.predict_proba(X)[:, -1].max() == 0  # nothing is known of it
    assert model.predict_log_proba(X)[:, -1].max() == -np.inf


def test_the_logarithm_of_a_probability_that_vanishes(rows):
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(*rows)
    model.class_scores = lambda X: np.array([[0.0, -2000.0, -3000.0]])
    assert model.predict_proba(rows[0])[0, 1] == 0
    assert_array_equal(model.predict_log_proba(rows[0]), [[0, -2000, -3000]])


def test_a_classifier_that_is_trained_predicts(rows):
    X, y = rows
    model = CrossEntropyEmbedder(8, max_epochs=2, random_state=0).fit(X, y)
    logits = np.concatenate([out.logits.numpy() for out in model.network_outputs(X)])
    assert_allclose(model.decision_function(X), logits)


@pytest.mark.parametrize("cls", [CrossEntropyEmbedder, GaussianMetricEmbedder])
@pytest.mark.parametrize("mark", [None, np.nan, -1])
def test_samples_without_a_label_are_not_scored(cls, mark, faces):
    X, y = faces.images, faces.target
    model = cls(max_epochs=3, random_state=0).fit(X, y)
    marked = y.astype(object)
    marked[:20] = mark
    weights = np.arange(len(y))
    expected = accuracy_score(y[20:], model.predict(X[20:]), sample_weight=weights[20:])
    assert model.score(X, marked, weights) == expected
    names = faces.target_names[y].astype(object)
    model.fit(X, names)
    names[:20] = mark if mark != -1 else "-1"
    assert model.score(X, names) == accuracy_score(names[20:], model.predict(X[20:]))


def test_what_is_a_class_is_scored(faces):
    y = np.where(faces.target == faces.target[0], -1, 1)
    model = CrossEntropyEmbedder(max_epochs=3, random_state=0).fit(faces.images, y)
    assert model.score(faces.images, y) == accuracy_score(y, model.predict(faces.images))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y"),
        (np.full(64, -1.0), "no sample with a label"),
        (np.full(64, np.nan), "no sample with a label"),
        (np.zeros(63), "X has 64 samples, y has 63"),
    ],
)
def test_what_cannot_be_scored(y, message, faces):
    model = CrossEntropyEmbedder(max_epochs=1, random_state=0).fit(faces.images, faces.target)
    with pytest.raises(ValueError, match=message):
        model.score(faces.images, y)
