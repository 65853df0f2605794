"""Guesses of what samples without a label show."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skfer import GaussianMetricEmbedder
from skfer.embedders import _gaussian
from skfer.embedders._strangers import Teacher, as_guess, from_guess
from skfer.losses import GaussianMetricLoss

LOSS = GaussianMetricLoss(1.0, relative=False)


@given(st.lists(st.integers(-1, 30), min_size=1))
def test_guesses_are_told_from_labels(codes):
    codes = np.array(codes)
    guesses = as_guess(codes)
    assert (guesses < 0).all()
    assert_array_equal(guesses == -1, codes == -1)
    assert_array_equal(from_guess(torch.from_numpy(guesses)).numpy()[codes >= 0], codes[codes >= 0])


def _teacher(codes, threshold=0.7, n_steps=40):
    return Teacher(nn.Linear(1, 1), np.array(codes), n_steps, threshold)


def _column(*places):
    return np.array(places, dtype=np.float32)[:, None]


def test_sure_strangers_get_the_class_that_is_near():
    codes = np.array([0, 0, 1, -1, -1, -1])
    teacher = _teacher(codes)
    points = _column(-1, 1, 10, 0.5, 9, 5)
    guessed = teacher.guess(points, None, codes, np.arange(2), LOSS)
    assert_array_equal(guessed, [0, 0, 1, -2, -3, -1])
    assert_array_equal(teacher.classes, [0, 0, 1, 0, 1, -1])


def test_subclasses_of_strangers():
    labels, owners = np.array([0, 1, 2, -1, -1]), np.array([0, 0, 1])
    teacher = _teacher([0, 0, 1, -1, -1])
    # Between two sub-classes of one class: which of them is not sure, but the class is.
    guessed = teacher.guess(_column(0, 4, 90, 1.9, 89), None, labels, owners, LOSS)
    assert_array_equal(guessed[3:], as_guess(np.array([0, 2])))
    assert_array_equal(teacher.classes[3:], [0, 1])


def test_the_classifier_has_half_a_say():
    codes = np.array([0, 1, -1])
    points = _column(0, 10, 1)
    says = np.array([[0, 0], [0, 0], [-50, 50]], dtype=np.float32)
    teacher = _teacher(codes)
    assert teacher.guess(points, says, codes, np.arange(2), LOSS)[2] == -1
    assert teacher.guess(points, -says, codes, np.arange(2), LOSS)[2] == -1
    assert_allclose(teacher._beliefs, [[0.7, 0.3]], atol=1e-6)


def test_beliefs_change_slowly():
    codes = np.array([0, 1, -1])
    teacher = _teacher(codes, threshold=0.5)
    near, far = _column(0, 20, 1), _column(0, 20, 19)
    found = [
        teacher.guess(points, None, codes, np.arange(2), LOSS)[2] for points in (near, far, far)
    ]
    assert found == [-2, -2, -3]


def test_threshold_of_one_leaves_all_out():
    codes = np.array([0, 1, -1])
    teacher = _teacher(codes, threshold=1.0)
    assert teacher.guess(_column(0, 1e4, 0), None, codes, np.arange(2), LOSS)[2] == -1


def test_the_teacher_follows():
    learner = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(learner.weight)
    teacher = Teacher(learner, np.array([0, -1]), 40, 0.7)
    teacher.follow()
    nn.init.ones_(learner.weight)
    teacher.follow()
    assert float(teacher.module.weight.detach()) == pytest.approx(0.5)  # of 40 steps, 2 count
    assert float(learner.weight.detach()) == 1


@pytest.fixture
def few(rows):
    X, y = rows
    codes = np.unique(y, return_inverse=True)[1]
    return X, np.where(np.arange(len(y)) % 4 == 0, codes, -1)


def _model(**kwargs):
    return GaussianMetricEmbedder(8, **{"max_epochs": 9, "random_state": 0, **kwargs})


def test_guesses_start_after_a_third(few, monkeypatch):
    epochs = []
    usual = Teacher.guess

    def spy(self, *args):
        epochs.append(len(model.net_.history) - 1)
        return usual(self, *args)

    monkeypatch.setattr(Teacher, "guess", spy)
    model = _model()
    model.fit(*few)
    assert epochs == list(range(3, 9))


def test_no_teacher_where_all_have_labels(rows, monkeypatch):
    def never(*args):
        raise AssertionError

    monkeypatch.setattr(_gaussian, "Teacher", never)
    _model().fit(*rows)


def test_fits_with_strangers_are_the_same_again(few):
    X, y = few
    first, second = _model().fit(X, y), _model().fit(X, y)
    assert_array_equal(first.transform(X), second.transform(X))
    assert_array_equal(first.transduction_, second.transduction_)


def test_without_a_classifier(few):
    X, y = few
    model = _model(classification_weight=0.0, max_subclasses=2).fit(X, y)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
