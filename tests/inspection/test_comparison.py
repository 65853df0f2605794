"""Pictures of methods on the same folds."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import t as student_t
from scipy.stats import ttest_rel

from skfer.evaluation import paired_difference
from skfer.exceptions import ArgumentError
from skfer.inspection import ComparisonDisplay

SCORES = {
    "pca": [0.40, 0.44, 0.42],
    "cross-entropy": [0.60, 0.64, 0.60],
    "multi-threshold": [0.63, 0.66, 0.63],
}


@dataclass
class Fit:
    """As an evaluation yields them."""

    method: str
    fold: int
    scores: dict
    n_train: int = 80
    n_test: int = 40
    seed: int | None = None


def test_points_means_and_differences():
    display = ComparisonDisplay.from_scores(SCORES, baseline="cross-entropy", measure="accuracy")
    np.testing.assert_array_equal(display.points_["pca"].get_xdata(), SCORES["pca"])
    assert display.means_["pca"].get_xdata() == pytest.approx([0.42])
    assert set(display.differences) == {"pca", "multi-threshold"}
    found = display.differences["multi-threshold"]
    assert found.mean == pytest.approx(0.08 / 3)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)
    assert display.intervals_["multi-threshold"].get_xdata() == pytest.approx(found[1:])
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert labels == list(SCORES)
    assert display.axes_[0].get_xlabel() == "accuracy"
    assert "cross-entropy" in display.axes_[1].get_xlabel()
    (zero,) = [
        line
        for line in display.axes_[1].lines
        if line.get_linestyle() == "-" and line not in display.intervals_.values()
    ]
    assert list(zero.get_xdata()) == [0, 0]
    rows = {tuple(line.get_ydata()): line.get_xdata() for line in display.axes_[1].lines}
    np.testing.assert_allclose(rows[2.0,], [0.08 / 3])
    assert rows[2, 2] == pytest.approx(found[1:])


def test_interval_without_overlap_is_students():
    scores = {name: SCORES[name] for name in ("cross-entropy", "multi-threshold")}
    display = ComparisonDisplay.from_scores(scores, n_train=1, n_test=0, confidence=0.9)
    expected = ttest_rel(*list(scores.values())[::-1]).confidence_interval(0.9)
    found = display.differences["multi-threshold"]
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_overlap_of_training_sets_widens_the_interval():
    def width(**sizes):
        display = ComparisonDisplay.from_scores(SCORES, **sizes)
        _, low, high = display.differences["multi-threshold"]
        return high - low

    plain = width(n_train=100, n_test=0)
    assert width(n_train=80, n_test=40) == pytest.approx(plain * np.sqrt((1 / 3 + 1 / 2) * 3))
    assert width() == pytest.approx(width(n_train=80, n_test=40))  # as three folds have


def test_interval_is_that_of_the_paired_difference():
    found = ComparisonDisplay.from_scores(SCORES, n_train=80, n_test=40).differences
    assert set(found) == {"cross-entropy", "multi-threshold"}
    for name, (mean, low, high) in found.items():
        told = paired_difference(SCORES[name], SCORES["pca"], n_train=80, n_test=40)
        reach = student_t.ppf(0.975, told.n - 1) * told.error
        assert (mean, low, high) == pytest.approx((told.mean, told.mean - reach, told.mean + reach))


def test_rounding_is_no_difference_in_the_picture_either():
    scores = {"a": [0.1 + 0.2] * 3, "b": [0.3] * 3}
    assert ComparisonDisplay.from_scores(scores).differences == {"b": (0, 0, 0)}


def test_fits_and_their_records():
    fits = [
        Fit(name, fold, {"accuracy": value, "recall_at_1": None if fold == 1 else value})
        for name, values in SCORES.items()
        for fold, value in enumerate(values)
    ]
    display = ComparisonDisplay.from_fits(fits, "accuracy")
    assert {name: list(row) for name, row in display.scores.items()} == SCORES
    assert display.baseline == "pca"
    records = [vars(fit) for fit in fits[::-1]]
    again = ComparisonDisplay.from_fits(records, "accuracy", baseline="pca")
    assert again.differences == display.differences
    # A fold may have nothing to find; fits of several seeds are averaged.
    more = [*fits, Fit("pca", 0, {"accuracy": 0.6, "recall_at_1": 0.6})]
    recall = ComparisonDisplay.from_fits(more, "recall_at_1")
    np.testing.assert_allclose(recall.scores["pca"], [0.5, np.nan, 0.42])
    assert recall.axes_[0].get_xlabel() == "recall at 1"


def test_methods_without_the_measure_are_left_out():
    """As PCA, which has no probabilities and so no calibration error."""
    values = {"pca": [None, None], "a": [0.1, 0.2], "b": [0.3, None]}
    fits = [
        Fit(name, fold, {"ece": value})
        for name, row in values.items()
        for fold, value in enumerate(row)
    ]
    display = ComparisonDisplay.from_fits(fits, "ece")
    assert display.baseline == "a"
    assert list(display.scores) == ["a", "b"]
    with pytest.raises(ArgumentError, match="measure='ece': no fit has a value of it"):
        ComparisonDisplay.from_fits(fits[:2], "ece")


def test_one_fold_or_one_method():
    display = ComparisonDisplay.from_scores({"a": [0.5], "b": [0.6]})
    assert display.differences["b"].mean == pytest.approx(0.1)
    assert np.isnan(display.differences["b"].low)
    display.figure_.canvas.draw()
    alone = ComparisonDisplay.from_scores({"a": [0.5, 0.6]})
    assert len(alone.axes_) == 1
    assert not alone.intervals_
    same = ComparisonDisplay.from_scores({"a": [0.5, 0.6], "b": [0.5, 0.6]})
    assert same.differences["b"] == (0, 0, 0)
    apart = ComparisonDisplay.from_scores({"a": [0.5, np.nan], "b": [np.nan, 0.6]})
    assert np.isnan(apart.differences["b"].mean)
    apart.figure_.canvas.draw()


def _runs(method, scores):
    return [
        Fit(method, fold, {"accuracy": score}, seed=seed) for (fold, seed), score in scores.items()
    ]


def _labels(display):
    return [text.get_text() for text in display.axes_[0].get_yticklabels()]


def test_fits_are_paired_where_both_are_done():
    """What a seed does to both is no difference."""
    scores = {(fold, seed): 0.6 + 0.1 * seed for fold in range(3) for seed in (0, 1)}
    first = {run: score for run, score in scores.items() if run[1] == 0}
    fits = _runs("a", scores) + _runs("b", first) + _runs("c", {(1, 0): 0.5, (5, 0): 0.9})
    display = ComparisonDisplay.from_fits(fits, "accuracy")
    assert display.differences["b"] == (0, 0, 0)
    assert display.differences["c"].mean == pytest.approx(-0.1)
    assert _labels(display) == ["a (6 of 7 fits)", "b (3 of 7 fits)", "c (2 of 7 fits)"]
    np.testing.assert_array_equal(display.axes_[1].lines[0].get_xdata(), [0, 0, 0])
    display.figure_.canvas.draw()
    none = ComparisonDisplay.from_fits(
        _runs("a", {(0, 0): 0.5}) + _runs("b", {(1, 0): 0.5}), "accuracy"
    )
    assert np.isnan(none.differences["b"]).all()


def test_how_many_fits_there_are_is_told_whole():
    scores = {(fold, 0): 0.5 + fold / 100 for fold in range(10)}
    some = dict(list(scores.items())[:9])
    long = "a method whose name is long, number 2"
    fits = _runs("a", scores) + _runs("multi-threshold", some) + _runs(long, some)
    labels = _labels(ComparisonDisplay.from_fits(fits, "accuracy"))
    assert labels[:2] == ["a", "multi-threshold (9 of 10 fits)"]
    assert labels[2].startswith("a method")
    assert labels[2].endswith("number 2 (9 of 10 fits)")


def test_seeds_of_a_single_fold_are_compared():
    """By their own error: there is no other training set that would overlap."""
    ours, theirs = [0.61, 0.60, 0.64, 0.62, 0.66], [0.60, 0.61, 0.61, 0.60, 0.63]
    fits = _runs("a", {(0, seed): score for seed, score in enumerate(theirs)})
    fits += _runs("b", {(0, seed): score for seed, score in enumerate(ours)})
    display = ComparisonDisplay.from_fits(fits, "accuracy", confidence=0.9)
    expected = ttest_rel(ours, theirs).confidence_interval(0.9)
    assert display.differences["b"][1:] == pytest.approx(tuple(expected))
    np.testing.assert_allclose(display.points_["b"].get_xdata(), ours)
    assert "Small: seeds" in display.axes_[0].get_title(loc="left")
    assert _labels(display) == ["a", "b"]
    third = ComparisonDisplay.from_fits(
        fits + _runs("c", {(0, 0): 0.5, (1, 0): 0.5}), "accuracy", confidence=0.9
    )
    assert third.differences["b"] == display.differences["b"]
    np.testing.assert_allclose(third.points_["c"].get_xdata(), [0.5, 0.5])


def test_sizes_of_fits_may_be_given():
    fits = [
        Fit(name, fold, {"accuracy": v})
        for name, row in SCORES.items()
        for fold, v in enumerate(row)
    ]
    given = ComparisonDisplay.from_fits(fits, "accuracy", n_test=0)
    plain = ComparisonDisplay.from_scores(SCORES, n_train=80, n_test=0)
    for name, found in plain.differences.items():
        assert given.differences[name] == pytest.approx(found)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scores": {}}, "scores must be a dict"),
        ({"scores": [1, 2]}, "scores must be a dict"),
        ({"scores": {"a": [1], "b": [1, 2]}}, "one score for each of the same folds"),
        ({"scores": {"a": [np.nan]}}, "scores of 'a' are not finite on any fold"),
        ({"scores": {"a": [], "b": []}}, "one score for each of the same folds"),
        ({"baseline": "svm"}, "baseline must be one of"),
        ({"confidence": 1}, "confidence"),
        ({"n_train": 0, "n_test": 1}, "n_train"),
        ({"n_train": 80}, "n_train=80.* and n_test=None belong together"),
        ({"n_test": -5}, "n_test=-5 belong together"),
        ({"n_train": "x"}, "n_train='x' and n_test=None belong together"),
        ({"n_train": 80, "n_test": -5}, "n_test"),
    ],
)
def test_refusals_name_the_argument(options, text):
    with pytest.raises(ArgumentError, match=text):
        ComparisonDisplay.from_scores(**{"scores": SCORES} | options)


def test_refusals_of_fits():
    with pytest.raises(ArgumentError, match="fits is empty"):
        ComparisonDisplay.from_fits([])
    with pytest.raises(ArgumentError, match="measure must be one of 'accuracy', got 'f1'"):
        ComparisonDisplay.from_fits([Fit("a", 0, {"accuracy": 1.0})], "f1")


def test_given_axes():
    display = ComparisonDisplay.from_scores(SCORES)
    _, two = plt.subplots(1, 2)
    assert display.plot(ax=two).axes_ == list(two)
    _, one = plt.subplots(figsize=(3, 4))
    display.plot(ax=one).figure_.canvas.draw()
    labels = [text.get_text() for text in display.axes_[1].get_yticklabels()]
    assert labels == list(SCORES)  # one below the other


@pytest.mark.parametrize(
    "options",
    [{"c": "red"}, {"marker": "x"}, {"ls": ":"}, {"label": "_a"}, {"mfc": "w"}, {"ms": 9},
     {"cmap": "viridis"}, {"caption": ""}, {"alpha": 1}],
    ids=lambda options: "-".join(options),
)  # fmt: skip
def test_nothing_passed_on_makes_matplotlib_warn(options):
    display = ComparisonDisplay.from_scores({"_$a": [1, 2], "b": [2, 3]}, **options)
    display.figure_.canvas.draw()


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_looks_as_kept(style, as_kept):
    with plt.style.context(style):
        display = ComparisonDisplay.from_scores(SCORES, measure="balanced accuracy")
        as_kept(display.figure_, f"comparison_{style}")
