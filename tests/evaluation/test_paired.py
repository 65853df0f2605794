"""Paired differences: by hand, and against Student's test without the correction."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student_t
from scipy.stats import ttest_rel

from skfer.evaluation import Fit, compare_with, difference_table, paired_difference
from skfer.exceptions import ArgumentError


def test_by_hand():
    # Differences 0.01, 0.02, 0.03: mean 0.02, variance 1e-4. Test part half of the training part:
    # error = sqrt((1/3 + 1/2) 1e-4) = 0.01 sqrt(5/6).
    found = paired_difference([0.91, 0.92, 0.96], [0.90, 0.90, 0.93], n_train=80, n_test=40)
    assert found.mean == pytest.approx(0.02)
    assert found.error == pytest.approx(0.01 * np.sqrt(5 / 6))
    assert found.t == pytest.approx(2 / np.sqrt(5 / 6))
    assert found.p_value == pytest.approx(2 * student_t.sf(2 / np.sqrt(5 / 6), 2))
    assert found.n == 3


def test_ten_folds_by_hand():
    # The textbook's 10-fold: the error is sqrt((1/10 + 1/9) s²), 1.45 times the usual one.
    draw = np.random.RandomState(0)
    a, b = draw.rand(10), draw.rand(10)
    found = paired_difference(a, b, n_train=90, n_test=10)
    usual = paired_difference(a, b, n_train=90, n_test=0)
    assert found.error / usual.error == pytest.approx(np.sqrt(1 + 10 / 9))


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_without_correction_it_is_students(seed, n):
    draw = np.random.RandomState(seed)
    a, b = draw.rand(n), draw.rand(n)
    found = paired_difference(a, b, n_train=1, n_test=0)
    known = ttest_rel(a, b)
    assert found.t == pytest.approx(known.statistic)
    assert found.p_value == pytest.approx(known.pvalue)


def test_edges():
    assert paired_difference([0.5], [0.25], n_train=2, n_test=1) == (0.25, None, None, None, 1)
    same = paired_difference([0.5, 0.75], [0.5, 0.75], n_train=2, n_test=1)
    assert same == (0, 0, 0, 1, 2)
    sure = paired_difference([0.5, 0.75], [0.25, 0.5], n_train=2, n_test=1)
    assert sure == (0.25, 0, np.inf, 0, 2)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_rounding_is_no_difference(scale):
    ours, theirs = np.array([0.1 + 0.2] * 3) * scale, np.array([0.3] * 3) * scale
    assert paired_difference(ours, theirs, n_train=2, n_test=1) == (0, 0, 0, 1, 3)
    sure = paired_difference(ours + 0.1 * scale, theirs, n_train=2, n_test=1)
    assert sure[1:] == (0, np.inf, 0, 3)
    some = paired_difference(ours, [0.3 * scale, 0.3 * scale, 0.2999 * scale], n_train=2, n_test=1)
    assert some.error > 0
    assert 0 < some.p_value < 1


def test_the_order_of_seeds_is_no_difference():
    """Their means are summed in it."""
    scores = {"a": [[0.7, 0.8, 0.9], [0.6, 0.7, 0.8]], "b": [[0.9, 0.8, 0.7], [0.8, 0.7, 0.6]]}
    fits = [
        Fit(name, fold, seed, {"accuracy": score}, [], 1.0, 1.0, 80, 40)
        for name, folds in scores.items()
        for fold, seeds in enumerate(folds)
        for seed, score in enumerate(seeds)
    ]
    assert compare_with(fits, "a", "b", "accuracy") == (0, 0, 0, 1, 2)


@pytest.mark.parametrize(
    ("scores", "reference", "sizes", "about"),
    [
        ([0.5], [0.5, 0.6], (2, 1), "scores"),
        ([], [], (2, 1), "scores"),
        ([np.nan], [0.5], (2, 1), "scores"),
        ([0.5], [0.5], (0, 1), "n_train"),
        ([0.5], [0.5], (2, -1), "n_train"),
    ],
)
def test_refusals_name_the_argument(scores, reference, sizes, about):
    with pytest.raises(ArgumentError) as caught:
        paired_difference(scores, reference, n_train=sizes[0], n_test=sizes[1])
    assert caught.value.arguments[0] == about


def _fit(method, fold, seed, accuracy):
    scores = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "recall_at_1"), accuracy)
    return Fit(method, fold, seed, scores, [], 1.0, 1.0, 80, 40)


def test_seeds_are_averaged_in_each_fold():
    fits = [_fit("a", fold, seed, 0.5 + 0.1 * fold + seed) for fold in (0, 1) for seed in (0, 1)]
    fits += [_fit("b", fold, seed, 0.5) for fold in (1, 0) for seed in (1, 0)]
    found = compare_with(fits, "a", "b", "accuracy")
    assert found.n == 2
    # By fold: 0.5 and 0.6, as the seeds add 0 and 1 to each.
    assert found.mean == pytest.approx(0.55)
    assert found.error == pytest.approx(np.sqrt((1 / 2 + 1 / 2) * 0.005))


def test_one_split_is_compared_by_seeds():
    fits = [_fit("a", 0, seed, 0.5 + 0.1 * seed) for seed in (0, 1)]
    fits += [_fit("b", 0, seed, 0.5) for seed in (0, 1)]
    found = compare_with(fits, "a", "b", "accuracy")
    assert (found.n, found.error) == (2, pytest.approx(np.sqrt(0.005 / 2)))
    assert "over seeds" in difference_table(fits, ["a"], "b").title


def test_folds_without_a_value_of_both_are_left_out():
    fits = [
        _fit("a", 0, 0, None),
        _fit("a", 1, 0, 0.5),
        _fit("b", 0, 0, 0.5),
        _fit("b", 1, 0, 0.25),
    ]
    assert compare_with(fits, "a", "b", "accuracy").mean == 0.25
    assert compare_with(fits[:1] + fits[2:], "a", "b", "accuracy") is None
    (row,) = difference_table(fits[:1] + fits[2:], ["a"], "b").rows
    assert [str(cell) for cell in row[1]] == ["-"] * 4


def test_what_a_seed_does_to_both_is_no_difference():
    """A run that was broken off: b was not fitted with seed 1."""
    runs = [(fold, seed) for fold in range(3) for seed in (0, 1)]
    fits = [_fit("a", fold, seed, 0.6 + 0.1 * seed) for fold, seed in runs]
    fits += [_fit("b", fold, seed, 0.6 + 0.1 * seed) for fold, seed in runs if seed == 0]
    assert compare_with(fits, "b", "a", "accuracy") == (0, 0, 0, 1, 3)
    (row,) = difference_table(fits, ["b"], "a").rows
    assert row[0] == "b (3 of 6 fits)"
    assert {str(cell) for cell in row[1]} == {"+0.000 ± 0.000"}


def test_seeds_without_a_value_of_both_are_left_out():
    fits = [_fit("a", fold, seed, 0.6 + 0.1 * seed) for fold in (0, 1) for seed in (0, 1)]
    fits += [_fit("b", fold, 0, 0.5) for fold in (0, 1)]
    fits += [_fit("b", fold, 1, None) for fold in (0, 1)]
    assert compare_with(fits, "a", "b", "accuracy").mean == pytest.approx(0.1)


def test_a_third_method_takes_no_error_away():
    """Two methods have one fold and several seeds, another one more folds."""
    fits = [_fit("a", 0, seed, 0.5 + 0.1 * seed) for seed in (0, 1)]
    fits += [_fit("b", 0, seed, 0.5) for seed in (0, 1)]
    alone = compare_with(fits, "a", "b", "accuracy")
    fits += [_fit("c", fold, 0, 0.5 + 0.1 * fold) for fold in (0, 1)]
    assert compare_with(fits, "a", "b", "accuracy") == alone
    assert alone.error > 0
    assert "standard error over seeds" in difference_table(fits, ["a", "c"], "b").title
    fits += [_fit("b", 1, 0, 0.5)]
    title = difference_table(fits, ["a", "c"], "b").title
    assert title.endswith("± standard error (Nadeau and Bengio; of a single fold: over seeds)")


def test_sizes_are_those_of_the_two():
    fits = [_fit(name, fold, 0, fold * 0.1 * (name == "a")) for name in "ab" for fold in (0, 1)]
    alone = compare_with(fits, "a", "b", "accuracy")
    fits.append(replace(fits[0], method="c", n_train=1, n_test=100))
    assert compare_with(fits, "a", "b", "accuracy") == alone


@pytest.mark.parametrize(
    ("wanted", "about"),
    [
        (("c", "b", "accuracy"), "method"),
        (("a", "c", "accuracy"), "reference"),
        (("a", "b", "speed"), "measure"),
    ],
)
def test_what_no_fit_has_is_named(wanted, about):
    fits = [_fit(method, fold, 0, 0.5) for method in ("a", "b") for fold in (0, 1)]
    with pytest.raises(ArgumentError) as caught:
        compare_with(fits, *wanted)
    assert caught.value.arguments[0] == about
