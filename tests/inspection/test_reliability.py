"""Pictures of whether probabilities are what they say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import skfer
from skfer.exceptions import ArgumentError
from skfer.inspection import ReliabilityDisplay
from skfer.inspection._models import steps_of
from skfer.inspection._reliability import _binned
from skfer.metrics import expected_calibration_error

PROBA = np.array([[0.9, 0.1], [0.8, 0.2], [0.35, 0.65], [0.3, 0.7], [0.05, 0.95]])
Y = np.array(["joy", "rage", "rage", "rage", "joy"])


def test_bins_by_hand():
    display = ReliabilityDisplay.from_predictions(Y, PROBA, n_bins=5)
    # (0.6, 0.8] holds 0.8 (wrong), 0.65 and 0.7 (right), (0.8, 1] holds 0.9 (right), 0.95 (wrong).
    found = display.overall
    assert found.counts.tolist() == [0, 0, 0, 3, 2]
    np.testing.assert_allclose(found.confidence[3:], [2.15 / 3, 0.925])
    np.testing.assert_allclose(found.accuracy[3:], [2 / 3, 0.5])
    assert np.isnan(found.accuracy[:3]).all()
    # The fifteen bins of the metric have one each: 0.1 and 0.2, 0.3 and 0.35 less sure, 0.95 surer.
    error = (0.1 + 0.8 + 0.35 + 0.3 + 0.95) / 5
    assert found.error == pytest.approx(error)
    line = display.lines_[""]
    np.testing.assert_allclose(line.get_xdata(), [2.15 / 3, 0.925])
    np.testing.assert_allclose(line.get_ydata(), [2 / 3, 0.5])
    assert f"ECE {error:.3f}" in line.get_label()
    (diagonal,) = [one for one in display.ax_.lines if one is not line]
    assert (diagonal.get_xy1(), diagonal.get_slope()) == ((0, 0), 1)
    heights = [bar.get_height() for bar in display.bars_]
    np.testing.assert_allclose(heights, [0, 0, 0, 0.6, 0.4])


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_error_is_that_of_the_metric_whatever_bins_are_drawn(seed, n_bins):
    rng = np.random.RandomState(seed)
    proba = rng.dirichlet(np.ones(3), size=40)
    y = rng.randint(3, size=40)
    right = proba.argmax(axis=1) == y
    found = _binned(proba.max(axis=1), right, n_bins)
    assert found.error == expected_calibration_error(y, proba, labels=[0, 1, 2])
    assert found.counts.sum() == 40
    # Its bins are those of the metric in as many.
    gap = np.nansum(np.abs(found.confidence - found.accuracy) * found.counts) / 40
    expected = expected_calibration_error(y, proba, labels=[0, 1, 2], n_bins=n_bins)
    assert gap == pytest.approx(expected)


@pytest.mark.parametrize("form", [np.array, lambda words: np.array([len(w) for w in words])])
def test_classes_that_are_not_known_are_predicted_wrongly(form):
    rng = np.random.RandomState(0)
    known, y = form(["awe", "fear", "anger"]), form(["awe", "fear", "anger", "contempt"] * 20)
    proba = rng.dirichlet(np.ones(3), size=80)
    display = ReliabilityDisplay.from_predictions(y, proba, classes=known, n_bins=1)
    assert display.overall.error == expected_calibration_error(y, proba, labels=known)
    right = known[proba.argmax(axis=1)] == y
    assert display.overall.accuracy == [right.mean()]
    assert [curve.counts[0] for curve in display.per_class.values()] == [80] * 3
    assert [curve.accuracy[0] for curve in display.per_class.values()] == [0.25] * 3


def test_what_is_no_class_is_told_from_a_class_that_is_not_known():
    proba = np.eye(3) * 0.7 + 0.1
    classes = [0, 1, 2]
    # Of few labels, -1 may be one, but not where the classes are given.
    display = ReliabilityDisplay.from_predictions([2, -1, 3], proba, classes=classes)
    assert display.overall.counts.sum() == 2
    with pytest.raises(ArgumentError, match="classes holds numbers but y_true holds words"):
        ReliabilityDisplay.from_predictions(["0", "1", "2"], proba, classes=classes)


def test_a_class_is_as_scikit_learn_has_it():
    rng = np.random.RandomState(0)
    proba = rng.dirichlet(np.ones(3), size=500)
    y = rng.randint(3, size=500)
    display = ReliabilityDisplay.from_predictions(y, proba, kind="classes")
    assert list(display.lines_) == ["0", "1", "2"]
    share, mean = calibration_curve(y == 1, proba[:, 1], n_bins=10)
    curve = display.per_class["1"]
    there = curve.counts > 0
    np.testing.assert_allclose(curve.accuracy[there], share)
    np.testing.assert_allclose(curve.confidence[there], mean)


def test_shares_of_all_have_no_color_of_a_class():
    display = ReliabilityDisplay.from_predictions(Y, PROBA, kind="classes")
    curves = {to_hex(line.get_color()) for line in display.lines_.values()}
    assert to_hex(display.bars_[0].get_facecolor()) not in curves
    assert display.counts_ax_.get_ylabel() == "share of\npredictions"
    display.plot()
    assert to_hex(display.bars_[0].get_facecolor()) == display.lines_[""].get_color().lower()


def test_pipelines_words_and_names():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[::2], y[::2])
    names = ["setosa", "versicolor", "virginica"]
    display = ReliabilityDisplay.from_estimator(model, X[1::2], y[1::2], names=names)
    assert list(display.per_class) == names
    assert list(display.lines_) == ["LogisticRegression"]
    words = make_pipeline(StandardScaler(), LogisticRegression())
    words.fit(X[::2], np.array(names)[y[::2]])
    same = ReliabilityDisplay.from_estimator(words, X[1::2], np.array(names)[y[1::2]])
    assert same.overall.error == pytest.approx(display.overall.error)


def test_samples_without_a_label_are_left_out():
    y = np.array([0, 1, 2, -1, 2])
    proba = np.eye(3)[[0, 1, 2, 0, 1]] * 0.7 + 0.1
    display = ReliabilityDisplay.from_predictions(y, proba)
    assert display.overall.counts.sum() == 4
    # One that is known of many classes.
    few = ReliabilityDisplay.from_predictions([2, 2], proba[:2], classes=[0, 1, 2])
    assert few.overall.counts.sum() == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"y_true": Y[1:]}, "y_true has 4 entries but y_proba has 5 rows"),
        ({"y_proba": PROBA * 2}, "does not sum to 1"),
        ({"y_proba": np.ones((5, 3)) / 3}, "y_proba has 3 columns for 2 classes"),
        ({"n_bins": 0}, "n_bins"),
        ({"kind": "all"}, "kind must be one of"),
        ({"y_true": [None] * 5}, "y_true has no label"),
    ],
)
def test_refusals_name_the_argument(options, text):
    with pytest.raises(ArgumentError, match=text):
        ReliabilityDisplay.from_predictions(**{"y_true": Y, "y_proba": PROBA} | options)


def test_classifier_without_probabilities():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ArgumentError, match="LinearSVC has no predict_proba"):
        ReliabilityDisplay.from_estimator(LinearSVC().fit(X, y), X, y)


def test_several_in_the_same_axes():
    first = ReliabilityDisplay.from_predictions(Y, PROBA, name="one")
    second = ReliabilityDisplay.from_predictions(Y, PROBA[::-1], name="other", ax=first.ax_)
    texts = [text.get_text() for text in second.ax_.get_legend().get_texts()]
    assert [text.split(",")[0] for text in texts] == ["one", "other"]
    one, other = first.lines_["one"], second.lines_["other"]
    assert one.get_color() != other.get_color()
    assert one.get_marker() != other.get_marker()
    assert second.counts_ax_ is None
    _, two = plt.subplots(2)
    assert first.plot(ax=two).counts_ax_ is two[1]


@pytest.mark.parametrize(
    "options",
    [{"c": "red"}, {"marker": "x"}, {"ls": "none"}, {"label": "_a"}, {"lw": 3}, {"mec": "k"},
     {"cmap": "viridis"}, {"kind": "classes"}, {"name": "_$a"}, {"caption": "of"}],
    ids=lambda options: "-".join(options),
)  # fmt: skip
def test_nothing_passed_on_makes_matplotlib_warn(options):
    display = ReliabilityDisplay.from_predictions(Y, PROBA, **options)
    display.figure_.canvas.draw()
    assert display.lines_


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_looks_as_kept(style, as_kept):
    rng = np.random.RandomState(0)
    logits = rng.normal(size=(400, 5))
    y = (logits + rng.normal(size=(400, 5))).argmax(axis=1)
    proba = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    kind = "overall" if style == "default" else "classes"
    with plt.style.context(style):
        display = ReliabilityDisplay.from_predictions(y, proba, name="model", kind=kind)
        as_kept(display.figure_, f"reliability_{style}")


def test_of_two_classes_the_second_stands_for_both():
    both = ReliabilityDisplay.from_predictions(Y, PROBA)
    one = ReliabilityDisplay.from_predictions(Y, PROBA[:, 1])
    assert one.overall.error == both.overall.error
    assert list(one.per_class) == ["joy", "rage"]
    np.testing.assert_array_equal(one.per_class["rage"].counts, both.per_class["rage"].counts)


def test_a_class_that_is_named_twice():
    with pytest.raises(ArgumentError, match="classes names a class twice"):
        ReliabilityDisplay.from_predictions(["joy"] * 5, PROBA, classes=["joy", "joy"])


def test_a_calibrated_embedder_is_an_embedder_too(faces):
    embedder = skfer.MultiThresholdEmbedder(max_epochs=1, random_state=0)
    embedder.fit(faces.images, faces.target)
    model = CalibratedClassifierCV(FrozenEstimator(embedder)).fit(faces.images, faces.target)
    display = ReliabilityDisplay.from_estimator(model, faces.images, faces.target)
    assert display.name == "CalibratedClassifierCV"
    assert steps_of(model) == [embedder]
    several = CalibratedClassifierCV(LogisticRegression(), cv=2).fit([[0], [1]] * 4, [0, 1] * 4)
    assert steps_of(several) == [several]
