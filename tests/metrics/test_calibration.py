"""The calibration error: by hand, against a loop, and what it refuses."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer

from skfer.exceptions import ArgumentError
from skfer.inspection import ReliabilityDisplay
from skfer.metrics import expected_calibration_error


def test_by_hand():
    # Two in the bin up to 0.6, one of them right: |1/2 - 0.6|; two sure and right: |1 - 0.9|.
    proba = [[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.4, 0.6]]
    y = np.array([0, 1, 0, 0])
    assert expected_calibration_error(y, proba) == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)


def test_overconfidence_and_its_opposite_in_one_bin_cancel():
    proba = [[0.75, 0.25]] * 4
    assert expected_calibration_error([0, 0, 0, 1], proba) == pytest.approx(0)


@pytest.mark.parametrize(("sure", "right", "error"), [(1.0, 0, 1.0), (1.0, 1, 0.0), (0.5, 1, 0.5)])
def test_extremes(sure, right, error):
    labels = np.array(["a", "b"])
    y = labels[[0 if right else 1]]
    proba = [[sure, 1 - sure]]
    assert expected_calibration_error(y, proba, labels=labels) == pytest.approx(error)


def _loop(y, proba, n_bins):
    total = 0.0
    for k in range(n_bins):
        inside = [
            (max(row), int(np.argmax(row)) == label)
            for row, label in zip(proba, y, strict=True)
            if k / n_bins < max(row) <= (k + 1) / n_bins
        ]
        if inside:
            sure, right = np.mean(inside, axis=0)
            total += len(inside) / len(y) * abs(right - sure)
    return total


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 5), st.integers(1, 20))
def test_against_a_loop(seed, n, n_classes, n_bins):
    draw = np.random.RandomState(seed)
    proba = draw.dirichlet(np.ones(n_classes), n)
    y = draw.randint(n_classes, size=n)
    error = expected_calibration_error(y, proba, labels=range(n_classes), n_bins=n_bins)
    assert error == pytest.approx(_loop(y, proba, n_bins))
    assert 0 <= error <= 1
    usual = expected_calibration_error(y, proba, labels=range(n_classes))
    assert usual == pytest.approx(_loop(y, proba, 15))


@pytest.mark.parametrize("words", [["anger", "happy", "sad"], ["2", "3", "4"], [2, 3, 4]], ids=str)
def test_columns_of_a_data_frame_go_by_their_names(words):
    draw = np.random.RandomState(0)
    proba = draw.dirichlet([0.2, 0.5, 2], 60)
    y = np.array(words)[[draw.choice(3, p=row) for row in proba]]
    expected = expected_calibration_error(y, proba)
    table = pd.DataFrame(proba, columns=words)
    display = ReliabilityDisplay.from_predictions(y, proba, n_bins=15)
    for order in (words, words[::-1], [words[2], words[0], words[1]]):
        assert expected_calibration_error(y, table[order]) == expected
        assert expected_calibration_error(y, table[order], labels=words) == expected
        assert expected_calibration_error(y, table[order], labels=order[::-1]) == expected
        found = ReliabilityDisplay.from_predictions(y, table[order], n_bins=15)
        assert_array_equal(found.overall.accuracy, display.overall.accuracy)
        plt.close("all")


def test_columns_without_the_names_of_the_classes_go_by_their_places():
    proba = np.random.RandomState(0).dirichlet([0.2, 0.5, 2], 60)
    y = np.arange(60) % 3
    for columns in (range(3), ["a", "b", "c"], ["0", "1", "x"]):
        table = pd.DataFrame(proba, columns=columns)
        for labels in ([0, 1, 2], [2, 0, 1]):
            expected = expected_calibration_error(y, proba, labels=labels)
            assert expected_calibration_error(y, table, labels=labels) == expected


def test_the_lowest_bin_stands_alone():
    # Wrong and 0.4 sure, right and 0.9 sure: in one bin, half of the 0.4 would be made up for.
    proba = [[0.4, 0.3, 0.3], [0.9, 0.1, 0.0]]
    error = expected_calibration_error([1, 0], proba, labels=[0, 1, 2], n_bins=2)
    assert error == pytest.approx((0.4 + 0.1) / 2)


@pytest.mark.parametrize("n_bins", [0, 10_001])
def test_the_number_of_bins_has_its_limits(n_bins):
    with pytest.raises(ArgumentError, match=f"n_bins must be .* got {n_bins}"):
        expected_calibration_error([0, 1], [[0.5, 0.5]] * 2, n_bins=n_bins)
    assert expected_calibration_error([0, 1], [[0.5, 0.5]] * 2, n_bins=10_000) == 0


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (([0, 1], [[0.5, 0.5]]), "y_true"),
        (([0, 1, 2], [[0.5, 0.5]] * 3), "y_proba"),
        (([0, 1], [[0.5, 0.6]] * 2), "y_proba"),
        (([0, 1], [[1.5, -0.5]] * 2), "y_proba"),
        (([0, 1], [0.5, -0.5]), "y_proba"),
        (([0, 1], [0.5, 1.5]), "y_proba"),
        (([0, 1, 2], [0.5, 0.5, 0.5]), "y_proba"),
        (([0, 1], 0.5), "y_proba"),
        (([0, 1], [[[0.5, 0.5]]] * 2), "y_proba"),
    ],
)
def test_refusals_name_the_argument(arguments, about):
    with pytest.raises(ArgumentError) as caught:
        expected_calibration_error(*arguments)
    assert caught.value.arguments[0] == about


def test_a_probability_a_hair_above_one_is_in_the_last_bin():
    # In one bin with 0.95 the two errors cancel in part: |(1 - 1.0005) + (1 - 0.95)| / 2.
    proba = [[1.0005, 0.0], [0.95, 0.05]]
    assert expected_calibration_error([0, 0], proba, labels=[0, 1]) == pytest.approx(0.0495 / 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_of_two_classes_the_second_stands_for_both(rows):
    proba, y = (np.array(column) for column in zip(*rows, strict=True))
    both = np.column_stack([1 - proba, proba])
    found = expected_calibration_error(y, proba, labels=[False, True])
    assert found == expected_calibration_error(y, both, labels=[False, True])


def test_as_a_scorer_of_scikit_learn():
    X = np.arange(20.0)[:, None]
    y = np.array(["joy", "rage"])[np.arange(20) // 10]
    scorer = make_scorer(
        expected_calibration_error, response_method="predict_proba", greater_is_better=False
    )
    model = LogisticRegression().fit(X, y)
    assert scorer(model, X, y) == -expected_calibration_error(y, model.predict_proba(X))


def test_a_class_that_is_named_twice():
    with pytest.raises(ArgumentError, match="labels names a class twice"):
        expected_calibration_error([1, 1], [[0.5, 0.5]] * 2, labels=[1, 1])
