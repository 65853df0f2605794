"""Guesses of what samples without a label show."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skfer import GaussianMetricEmbedder
from skfer.embedders.gaussian import _embedder
from skfer.embedders.gaussian._objective import WatchedBatches
from skfer.embedders.gaussian._pseudo_labels import Teacher, as_guess, from_guess
from skfer.losses import GaussianMetricLoss
from skfer.nets import Embedded

LOSS = GaussianMetricLoss(1.0, relative_sigma=False)


@given(st.lists(st.integers(-1, 30), min_size=1))
def test_guesses_are_told_from_labels(codes):
    codes = np.array(codes)
    guesses = as_guess(codes)
    assert (guesses < 0).all()
    assert_array_equal(guesses == -1, codes == -1)
    assert_array_equal(from_guess(torch.from_numpy(guesses)).numpy()[codes >= 0], codes[codes >= 0])


def _teacher(codes, threshold=0.7, n_steps=40):
    codes = np.array(codes)
    return Teacher(nn.Linear(1, 1), codes, codes.max() + 1, n_steps, threshold)


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
    teacher = Teacher(learner, np.array([0, 1, -1]), 2, 40, 0.7)
    nn.init.ones_(learner.weight)
    teacher.follow()
    assert float(teacher.module.weight.detach()) == pytest.approx(
        0.5
    )  # the last two of 40 steps count most
    assert float(learner.weight.detach()) == 1


def test_indices_and_counts_are_taken_over_as_they_are():
    learner = nn.Module()
    learner.register_buffer("index", torch.arange(2000))
    learner.register_buffer("mask", torch.ones(3, dtype=torch.bool))
    learner.register_buffer("mean", torch.zeros(2))
    teacher = Teacher(learner, np.array([0, 1, -1]), 2, 520, 0.7)
    learner.mean += 1
    for _ in range(50):
        learner.index += 1
        teacher.follow()
    assert_array_equal(teacher.module.index, torch.arange(2000) + 50)
    assert teacher.module.mask.all()
    assert 0 < float(teacher.module.mean[0]) < 1


def test_the_number_of_subclasses_is_no_prior():
    labels, owners = np.array([0, 1, 2, 3, 3, 3, -1]), np.array([0, 0, 0, 1])
    teacher = _teacher([0, 0, 0, 1, 1, 1, -1], threshold=0.5)
    teacher.guess(_column(0, 0.01, -0.01, 1, 1, 1, 0.6), None, labels, owners, LOSS)
    assert teacher.classes[6] == 1


def test_a_class_that_is_believed_too_often_is_believed_less():
    codes = np.array([0, 1] + [-1] * 8)
    teacher = _teacher(codes, threshold=0.6)
    points = _column(0, 10, *[4.95] * 7, 9)  # a little nearer to the first class, seven times
    teacher.guess(points, None, codes, np.arange(2), LOSS)
    near = 1 / (1 + np.exp(-0.5))
    assert_allclose(teacher._beliefs[:7, 0], near, rtol=1e-4)
    shares = np.array([1 + 7 * near, 2 + 7 * (1 - near)]) / 10
    weighted = np.array([near, 1 - near]) / shares
    assert_allclose(teacher._aligned()[:7, 0], weighted[0] / weighted.sum(), rtol=1e-3)
    assert_array_equal(teacher.classes[2:], [-1] * 7 + [1])  # 0.62 became 0.59


def test_beliefs_get_the_shares_of_the_labels():
    codes = np.array([0, 0, 0, 1] + [-1] * 400)
    teacher = _teacher(codes)
    points = np.random.RandomState(0).uniform(0, 4, (404, 1)).astype(np.float32)
    points[:4, 0] = 0, 0, 0, 4
    teacher.guess(points, None, codes, np.arange(2), LOSS)
    assert_allclose(teacher._beliefs.mean(axis=0), [0.5, 0.5], atol=0.05)
    aligned = teacher._aligned()
    assert_allclose(aligned.sum(axis=1), 1)
    assert aligned.mean(axis=0)[0] > 0.55  # from one half towards three quarters


def test_a_lone_stranger_keeps_its_belief():
    codes = np.array([0] * 50 + [1] * 50 + [-1])
    teacher = _teacher(codes)
    points = _column(*[0] * 50, *[4] * 50, 0.5)
    teacher.guess(points, None, codes, np.arange(2), LOSS)
    assert_allclose(teacher._aligned(), teacher._beliefs, atol=0.02)


def test_classes_without_a_label_are_not_guessed():
    codes = np.array([0, 0, 2, -1, -1])
    teacher = _teacher(codes, threshold=0.5)
    says = np.zeros((5, 3), dtype=np.float32)
    says[3, 1] = 50
    guessed = teacher.guess(_column(0, 0, 9, 1, 8), says, codes, np.arange(3), LOSS)
    assert_array_equal(guessed[3:], as_guess(np.array([0, 2])))


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


def test_the_guesses_are_of_the_averaged_network(few, monkeypatch):
    asked = []
    usual = GaussianMetricEmbedder._outputs

    def spy(self, source, module):
        outputs = usual(self, source, module)
        if module is not self.net_.module_:
            other = usual(self, source, self.net_.module_)[0]
            asked.append(np.abs(outputs[0] - other).max())
        return outputs

    monkeypatch.setattr(GaussianMetricEmbedder, "_outputs", spy)
    _model(max_epochs=40).fit(*few)
    assert len(asked) == 27
    assert min(asked) > 0


def test_no_teacher_where_all_have_labels(rows, monkeypatch):
    def never(*args):
        raise AssertionError

    monkeypatch.setattr(_embedder, "Teacher", never)
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


def test_threshold_of_one_is_to_leave_them_out(faces):
    X = faces.images  # rows would be standardised by all of them
    y = np.where(np.arange(len(X)) % 4 == 1, -1, faces.target)
    known = y >= 0
    model = _model(unlabeled_threshold=1.0, max_epochs=3).fit(X, y)
    alone = _model(max_epochs=3).fit(X[known], y[known])
    assert_allclose(model.transform(X), alone.transform(X), atol=1e-5)
    assert_allclose(model.means_, alone.means_, atol=1e-5)
    assert_allclose(model.weights_, alone.weights_)
    assert_array_equal(model.transduction_[~known], model.predict(X[~known]))


def test_a_single_stranger_counts_as_one(rows):
    X, y = rows
    codes = np.unique(y, return_inverse=True)[1]
    points = torch.zeros(30, 8, requires_grad=True)
    logits = torch.zeros(30, 3, requires_grad=True)
    model = _model().fit(X, codes)
    objective = model.net_.criterion_
    objective.guessing = True
    labels = torch.arange(30) % 3
    labels[0] = -2
    objective(Embedded(points, logits), labels).backward()
    sizes = logits.grad.abs().sum(1)
    assert_allclose(sizes, sizes[1].item(), rtol=1e-4)


def test_batches_have_no_more_strangers_than_labelled_samples(few):
    X, y = few
    model = _model().fit(X, y)
    sizes = np.bincount(y[y >= 0])
    for batch in model._make_sampler(y, 0):
        assert (y[batch] < 0).sum() <= np.minimum(sizes, 8).sum()


def test_validation_is_the_same_in_every_epoch(few):
    X, y = few
    y = np.where(np.arange(len(y)) % 4 == 1, -1, np.arange(len(y)) % 3)
    model = _model(early_stopping=True, validation_fraction=0.3, lr=1e-12, schedule="constant")
    model.fit(X, y)
    losses = [epoch["valid_loss"] for epoch in model.history_]
    # Only the running means of the norms still move a little.
    assert np.ptp(losses[-3:]) < 0.02


@pytest.mark.parametrize("absent", [1, 2])
@pytest.mark.parametrize("max_subclasses", [1, 2])
def test_warm_start_without_a_label_of_a_class(rows, absent, max_subclasses):
    X, y = rows
    codes = np.unique(y, return_inverse=True)[1]
    model = _model(warm_start=True, max_subclasses=max_subclasses, unlabeled_threshold=0.4)
    model.fit(X, codes).fit(X, np.where(codes == absent, -1, codes))
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.n_subclasses_.min() >= 1
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    found = model.predict_subclass(X, np.full(len(X), absent))
    assert_array_equal(model.subclass_to_class_[found], absent)


def test_partial_fit_knows_absent_classes(few):
    X, _ = few
    codes = np.arange(len(X)) % 3
    model = _model(max_epochs=30).fit(X, codes)
    before = model.means_.copy(), model.weights_.copy()
    rest = codes != 1
    model.partial_fit(X[rest], np.where(codes[rest] == 2, -1, codes[rest]))
    assert_array_equal(model.means_[1:], before[0][1:])
    found = model.transduction_[codes[rest] == 2]
    assert (found == 2).mean() > 0.5


def test_epochs_have_as_many_batches_after_a_split():
    batches = [0, 1, 2]
    watched = WatchedBatches(batches, lambda epoch: batches.append(9) if epoch == 1 else None)
    assert [list(watched) for _ in range(3)] == [[0, 1, 2]] * 3
    batches[:] = [5]
    assert list(watched) == [5, 5, 5]
    assert len(watched) == 3
