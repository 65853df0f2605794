"""Measures of a fold: hand-made values, and which samples are searched."""

import numpy as np
import pytest

from skfer.evaluation._measures import measure_embedding, measure_posterior, measure_predictions


def test_predictions_by_hand():
    y = np.array([0, 0, 0, 1])
    scores = measure_predictions(y, np.array([0, 0, 1, 1]))
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    # F1 of class 0: precision 1, recall 2/3; of class 1: precision 1/2, recall 1.
    assert scores["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_means_are_over_the_classes_that_are_there():
    y = np.array([0, 0, 1, 1])
    scores = measure_predictions(y, np.array([0, 2, 1, 1]))
    assert scores["balanced_accuracy"] == 0.75
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_the_own_person_is_left_out():
    # Each face is nearest to one of its own person and label, then to one of another's label.
    Z = np.array([[0.0], [0.1], [1.0], [1.1], [2.0], [2.1], [3.0], [3.1], [4.0], [4.1]])
    y = np.array([0, 0, 1, 1, 0, 0, 1, 1, 0, 0])
    groups = np.repeat(np.arange(5), 2)
    own_person_found = measure_embedding(Z[:2], Z, y[:2], y, None)["recall_at_1"]
    left_out = measure_embedding(Z[:2], Z, y[:2], y, groups)["recall_at_1"]
    assert (own_person_found, left_out) == (1.0, 0.0)


@pytest.mark.parametrize(("n_groups", "recall"), [(4, 1.0), (5, 0.0)])
def test_the_training_part_is_searched_where_few_are_tested(n_groups, recall):
    # Training faces lie beside those of their label; test faces only beside those of another.
    Z_test = np.arange(n_groups, dtype=float)[:, None]
    y_test = np.arange(n_groups) % 2
    Z_train, y_train = Z_test + 0.01, y_test
    scores = measure_embedding(Z_train, Z_test, y_train, y_test, np.arange(n_groups))
    assert scores["recall_at_1"] == recall


@pytest.mark.parametrize(("n", "found"), [(9, [0, 0, 0, 1]), (8, [0, 0, 1, None])])
def test_as_many_neighbors_are_looked_at_as_there_are(n, found):
    # The two of one label are farthest from each other, with those of another label between.
    Z, y = np.arange(float(n))[:, None], np.arange(n) + 1
    y[-1] = y[0]
    scores = measure_embedding(Z, Z, y, y, None)
    assert [scores[f"recall_at_{k}"] for k in (1, 2, 4)] == [0, 0, 0]
    assert scores["recall_at_8"] == found[3]


def test_an_embedding_that_is_one_point_is_measured():
    # Eight faces are searched: whether the four are among them, nobody can tell.
    y = np.arange(12) % 2
    scores = measure_embedding(np.zeros((8, 2)), np.zeros((4, 2)), y[:8], y[8:], np.arange(4))
    assert scores["recall_at_4"] is not None


def test_recall_is_none_where_nothing_can_be_found():
    Z, y = np.eye(2), np.array([0, 1])
    assert measure_embedding(Z, Z, y, y, None)["recall_at_1"] is None


@pytest.mark.parametrize(("y", "nmi"), [([0, 0, 1, 1], 1.0), ([0, 0, 0, 0], None)])
def test_clusters_are_compared_with_two_classes_or_more(y, nmi):
    Z = np.array([[0.0], [0.1], [5.0], [5.1]])
    assert measure_embedding(Z, Z, np.array(y), np.array(y), None)["nmi"] == nmi


class Certain:
    """Says the first of its two classes of everything, with a probability of nine tenths."""

    classes_ = np.array(["fear", "joy"])

    def predict_proba(self, X):
        return np.tile([0.9, 0.1], (len(X), 1))


def test_calibration_is_of_the_own_probabilities():
    X, y = np.zeros((4, 1)), np.array(["fear", "fear", "joy", "joy"])
    assert measure_posterior(Certain(), X, y) == {"ece": pytest.approx(0.9 - 0.5)}
    assert measure_posterior(object(), X, y) == {"ece": None}
