"""Pseudo-labels of samples without a label."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from skfer import GaussianMetricEmbedder
from skfer.embedders.gaussian._mixture import Components
from skfer.embedders.gaussian._pseudo_labels import PseudoLabeler, WeightAverage
from skfer.losses import GaussianMetricLoss

LOSS = GaussianMetricLoss(1.0, relative_sigma=False)


def _labeler(codes, threshold=0.7):
    codes = np.array(codes)
    return PseudoLabeler(codes, codes.max() + 1, threshold)


def _column(*places):
    return np.array(places, dtype=np.float32)[:, None]


def _whole(codes):
    """Components that are the classes."""
    codes = np.array(codes)
    return Components(codes, np.arange(codes.max() + 1))


def test_sure_samples_get_the_class_that_is_near():
    codes = [0, 0, 1, -1, -1, -1]
    labeler = _labeler(codes)
    labels, is_pseudo = labeler.update(_column(-1, 1, 10, 0.5, 9, 5), None, _whole(codes), LOSS)
    assert_array_equal(labels, [0, 0, 1, 0, 1, -1])
    assert_array_equal(is_pseudo, [False, False, False, True, True, False])
    assert_array_equal(labeler.classes, labels)


def test_pseudo_labels_are_subclasses():
    components = Components(np.array([0, 1, 2, -1, -1]), np.array([0, 0, 1]))
    labeler = _labeler([0, 0, 1, -1, -1])
    # Between two sub-classes of one class: which of them is not sure, but the class is.
    labels, is_pseudo = labeler.update(_column(0, 4, 90, 1.9, 89), None, components, LOSS)
    assert_array_equal(labels[3:], [0, 2])
    assert is_pseudo[3:].all()
    assert_array_equal(labeler.classes[3:], [0, 1])


def test_gaussians_and_classifier_count_alike():
    codes = [0, 1, -1]
    logits = np.array([[0, 0], [0, 0], [-50, 50]], dtype=np.float32)
    labeler = _labeler(codes)
    for sign in (1, -1):
        labels, _ = labeler.update(_column(0, 10, 1), sign * logits, _whole(codes), LOSS)
        assert labels[2] == -1
    assert_allclose(labeler.soft_labels, [[0.7, 0.3]], atol=1e-6)


def test_soft_labels_change_slowly():
    codes = [0, 1, -1]
    labeler = _labeler(codes, threshold=0.5)
    near, far = _column(0, 20, 1), _column(0, 20, 19)
    found = [labeler.update(x, None, _whole(codes), LOSS)[0][2] for x in (near, far, far)]
    assert found == [0, 0, 1]


def test_threshold_of_one_leaves_all_out():
    codes = [0, 1, -1]
    labels, is_pseudo = _labeler(codes, threshold=1.0).update(
        _column(0, 1e4, 0), None, _whole(codes), LOSS
    )
    assert labels[2] == -1
    assert not is_pseudo.any()


def test_the_number_of_subclasses_is_no_prior():
    components = Components(np.array([0, 1, 2, 3, 3, 3, -1]), np.array([0, 0, 0, 1]))
    labeler = _labeler([0, 0, 0, 1, 1, 1, -1], threshold=0.5)
    labeler.update(_column(0, 0.01, -0.01, 1, 1, 1, 0.6), None, components, LOSS)
    assert labeler.classes[6] == 1


def test_a_class_that_is_chosen_too_often_is_chosen_less():
    codes = [0, 1] + [-1] * 8
    labeler = _labeler(codes, threshold=0.6)
    points = _column(0, 10, *[4.95] * 7, 9)  # a little nearer to the first class, seven times
    labeler.update(points, None, _whole(codes), LOSS)
    near = 1 / (1 + np.exp(-0.5))
    assert_allclose(labeler.soft_labels[:7, 0], near, rtol=1e-4)
    shares = np.array([1 + 7 * near, 2 + 7 * (1 - near)]) / 10
    weighted = np.array([near, 1 - near]) / shares
    assert_allclose(labeler.aligned()[:7, 0], weighted[0] / weighted.sum(), rtol=1e-3)
    assert_array_equal(labeler.classes[2:], [-1] * 7 + [1])  # 0.62 became 0.59


def test_soft_labels_get_the_shares_of_the_labels():
    codes = [0, 0, 0, 1] + [-1] * 400
    labeler = _labeler(codes)
    points = np.random.RandomState(0).uniform(0, 4, (404, 1)).astype(np.float32)
    points[:4, 0] = 0, 0, 0, 4
    labeler.update(points, None, _whole(codes), LOSS)
    assert_allclose(labeler.soft_labels.mean(axis=0), [0.5, 0.5], atol=0.05)
    aligned = labeler.aligned()
    assert_allclose(aligned.sum(axis=1), 1)
    assert aligned.mean(axis=0)[0] > 0.55  # from one half toward three quarters


def test_a_single_unlabeled_sample_is_hardly_aligned():
    codes = [0] * 50 + [1] * 50 + [-1]
    labeler = _labeler(codes)
    labeler.update(_column(*[0] * 50, *[4] * 50, 0.5), None, _whole(codes), LOSS)
    assert_allclose(labeler.aligned(), labeler.soft_labels, atol=0.02)


def test_classes_without_a_label_are_no_pseudo_labels():
    codes = [0, 0, 2, -1, -1]
    labeler = _labeler(codes, threshold=0.5)
    logits = np.zeros((5, 3), dtype=np.float32)
    logits[3, 1] = 50
    labels, _ = labeler.update(_column(0, 0, 9, 1, 8), logits, _whole(codes), LOSS)
    assert_array_equal(labels[3:], [0, 2])


class _Net:
    """As much of a net as the average of its weights needs."""

    def __init__(self, module, n_steps):
        self.module_, self.n_steps = module, n_steps


def test_the_average_follows_the_weights():
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    net, average = _Net(module, 40), WeightAverage()
    average.on_train_begin(net)
    nn.init.ones_(module.weight)
    average.on_batch_end(net, training=False)
    assert float(average.module.weight.detach()) == 0
    average.on_batch_end(net, training=True)
    # The last two of 40 steps count most.
    assert float(average.module.weight.detach()) == pytest.approx(0.5)
    assert float(module.weight.detach()) == 1


def test_indices_and_counts_are_copied_as_they_are():
    module = nn.Module()
    module.register_buffer("index", torch.arange(2000))
    module.register_buffer("mask", torch.ones(3, dtype=torch.bool))
    module.register_buffer("mean", torch.zeros(2))
    net, average = _Net(module, 520), WeightAverage()
    average.on_train_begin(net)
    module.mean += 1
    for _ in range(50):
        module.index += 1
        average.on_batch_end(net, training=True)
    assert_array_equal(average.module.index, torch.arange(2000) + 50)
    assert average.module.mask.all()
    assert 0 < float(average.module.mean[0]) < 1


@pytest.fixture
def few(rows):
    X, y = rows
    codes = np.unique(y, return_inverse=True)[1]
    return X, np.where(np.arange(len(y)) % 4 == 0, codes, -1)


def _model(**kwargs):
    return GaussianMetricEmbedder(8, **{"max_epochs": 9, "random_state": 0, **kwargs})


class Keep(Callback):
    """Keep the net that is being trained."""

    def on_train_begin(self, net, **kwargs):
        self.net = net


def test_pseudo_labels_start_after_a_third(few, monkeypatch):
    epochs, keep = [], Keep()
    usual = PseudoLabeler.update

    def spy(self, *args):
        epochs.append(len(keep.net.history) - 1)
        return usual(self, *args)

    monkeypatch.setattr(PseudoLabeler, "update", spy)
    _model(callbacks=[keep]).fit(*few)
    assert epochs == list(range(3, 9))


def test_pseudo_labels_are_those_of_the_averaged_network(few, monkeypatch):
    given, keep = [], Keep()
    usual = PseudoLabeler.update

    def spy(self, points, *args):
        keep.net.module_.eval()
        with torch.inference_mode():
            latest = keep.net.module_(torch.from_numpy(standardized)).embedding.numpy()
        given.append(np.abs(points - latest).max())
        return usual(self, points, *args)

    X = few[0]
    standardized = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    monkeypatch.setattr(PseudoLabeler, "update", spy)
    _model(max_epochs=40, callbacks=[keep]).fit(*few)
    assert len(given) == 27
    assert min(given) > 1e-4


def test_where_all_have_labels_nothing_watches_the_training(rows):
    seen = []

    class Watch(Callback):
        def on_epoch_begin(self, net, **kwargs):
            seen.append([name for name, _ in net.callbacks_])

    _model(max_epochs=1, callbacks=[Watch()]).fit(*rows)
    assert seen == [["Watch"]]


def test_semi_supervised_fits_are_the_same_again(few):
    X, y = few
    first, second = _model().fit(X, y), _model().fit(X, y)
    assert_array_equal(first.transform(X), second.transform(X))
    assert_array_equal(first.transduction_, second.transduction_)


def test_without_a_classifier(few):
    X, y = few
    model = _model(classification_weight=0.0, max_subclasses=2).fit(X, y)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_threshold_of_one_is_to_leave_them_out(faces):
    X = faces.images  # rows would be standardized by all of them
    y = np.where(np.arange(len(X)) % 4 == 1, -1, faces.target)
    known = y >= 0
    model = _model(unlabeled_threshold=1.0, max_epochs=3).fit(X, y)
    alone = _model(max_epochs=3).fit(X[known], y[known])
    assert_allclose(model.transform(X), alone.transform(X), atol=1e-5)
    assert_allclose(model.means_, alone.means_, atol=1e-5)
    assert_allclose(model.weights_, alone.weights_)
    assert_array_equal(model.transduction_[~known], model.predict(X[~known]))


def test_batches_have_no_more_unlabeled_samples_than_labeled_ones(few):
    X, y = few
    model = _model().fit(X, y)
    sizes = np.bincount(y[y >= 0])
    for batch in model.make_sampler(y, 0):
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
