"""Resuming by warm_start and partial_fit: what is kept, what may change, what a failure loses."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from skfer import MetricLossEmbedder, MultiThresholdEmbedder, TripletCenterEmbedder
from skfer.embedders import BaseEmbedder
from skfer.nets import FaceAugment
from skfer.training import Objective


class Breaks(Callback):
    """Stops a training in the middle of an epoch, if armed."""

    armed = False

    def on_batch_end(self, net, **kwargs):
        if self.armed and net.progress * net.n_steps > 1:
            raise RuntimeError("broken")


def _weights(model):
    parts = (model.net_.module_, model.net_.criterion_)
    return copy.deepcopy([part.state_dict() for part in parts])


def _assert_same_weights(model, expected):
    for ours, theirs in zip(_weights(model), expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert_array_equal(value, theirs[name], err_msg=name)


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_training_that_breaks_loses_nothing(embedder, faces, how):
    breaks = Breaks()
    embedder.set_params(warm_start=True, callbacks=[breaks], augment=FaceAugment(degrees=1))
    getattr(embedder, how)(faces.images, faces.target)
    before, history = _weights(embedder), list(embedder.net_.history)
    Z = embedder.transform(faces.images)
    breaks.armed = True
    embedder.set_params(augment=None)
    with pytest.raises(RuntimeError, match="broken"):
        getattr(embedder, how)(faces.images, faces.target)
    _assert_same_weights(embedder, before)
    assert embedder.net_.history == history
    assert len(embedder.history_) == len(history)
    assert embedder.net_.module_.augment is not None
    assert_array_equal(embedder.transform(faces.images), Z)


def test_a_pass_that_breaks_is_as_if_it_had_not_been(embedder, faces):
    """The optimizer's state and the generator are as before, too."""
    breaks = Breaks()
    smooth, broken = (copy.deepcopy(embedder) for _ in range(2))
    broken.set_params(callbacks=[breaks])
    smooth.set_params(callbacks=[Callback()])
    for model in (smooth, broken):
        model.partial_fit(faces.images, faces.target)
    breaks.armed = True
    with pytest.raises(RuntimeError, match="broken"):
        broken.partial_fit(faces.images, faces.target)
    breaks.armed = False
    for model in (smooth, broken):
        model.partial_fit(faces.images, faces.target)
    _assert_same_weights(broken, _weights(smooth))


def test_partial_fit_after_early_stopping(embedder, rows):
    """It has no validation loss to stop by."""
    embedder.set_params(early_stopping=True, schedule="constant", validation_fraction=0.3)
    embedder.fit(*rows).partial_fit(*rows).partial_fit(*rows)
    assert embedder.n_iter_ == 4
    assert "valid_loss" in embedder.history_[1]
    assert "valid_loss" not in embedder.history_[2]


def _weight(model):
    return model.net_.module_.project.weight


def _n_steps(model):
    return int(model.net_.optimizer_.state[_weight(model)]["step"])


def test_partial_fit_keeps_the_optimizer_going(embedder, rows):
    one_pass = _n_steps(embedder.partial_fit(*rows))
    assert one_pass > 0
    assert _n_steps(embedder.partial_fit(*rows)) == 2 * one_pass
    assert _n_steps(embedder.set_params(lr=1e-3).partial_fit(*rows)) == 3 * one_pass
    assert _n_steps(embedder.fit(*rows).partial_fit(*rows)) == one_pass
    assert _n_steps(pickle.loads(pickle.dumps(embedder)).partial_fit(*rows)) == one_pass


def test_partial_fit_takes_new_settings(embedder, faces):
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.optimizer_.param_groups[-1]["weight_decay"])

    embedder.partial_fit(faces.images, faces.target)
    embedder.set_params(lr=1e-12, weight_decay=0.25, augment=None, callbacks=[Watch()])
    embedder.set_params(classification_weight=3.0)
    before = _weight(embedder).detach().clone()
    embedder.partial_fit(faces.images, faces.target)
    torch.testing.assert_close(_weight(embedder).detach(), before, atol=1e-9, rtol=1e-6)
    assert seen == [0.25]
    assert embedder.history_[-1]["lr"] == 1e-12
    assert embedder.net_.module_.augment is None
    assert embedder.net_.criterion_.classification_weight == 3.0


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"embedding_dim": 32}, "embedding_dim=32, but {} goes on with .* embedding_dim=16"),
        ({"standardize_embedding": False}, "standardize_embedding=False, but {} goes on"),
        ({"backbone": nn.Flatten()}, "backbone=<Flatten>, but {} goes on .* backbone='scratch'"),
    ],
)
def test_what_the_network_is_made_of_cannot_change(embedder, faces, how, params, message):
    embedder.set_params(warm_start=True).fit(faces.images, faces.target)
    embedder = pickle.loads(pickle.dumps(embedder))
    Z = embedder.transform(faces.images)
    name = {"fit": "warm_start=True", "partial_fit": "partial_fit"}[how]
    with pytest.raises(ValueError, match=message.format(name)):
        getattr(embedder.set_params(**params), how)(faces.images, faces.target)
    assert_array_equal(embedder.transform(faces.images), Z)


def test_a_module_that_stays_is_no_change(embedder, faces):
    net = nn.Sequential(nn.Flatten(), nn.Linear(576, 7))
    embedder.set_params(backbone=net, warm_start=True).fit(faces.images, faces.target)
    for copied in (embedder, copy.deepcopy(embedder), pickle.loads(pickle.dumps(embedder))):
        assert copied.fit(faces.images, faces.target).n_iter_ == 4
    other = copy.deepcopy(embedder).set_params(backbone=copy.deepcopy(net))
    with pytest.raises(ValueError, match="made with backbone=<Sequential>"):
        pickle.loads(pickle.dumps(other)).fit(faces.images, faces.target)


def test_a_classifier_cannot_be_added(rows):
    model = MultiThresholdEmbedder(
        16, classification_weight=0, warm_start=True, max_epochs=5, random_state=0
    )
    model.fit(*rows).set_params(classification_weight=1.0)
    with pytest.raises(ValueError, match=r"classification_weight=1\.0, but warm_start=True"):
        model.fit(*rows)
    with pytest.raises(ValueError, match=r"classification_weight=1\.0, but partial_fit"):
        model.partial_fit(*rows)
    model.set_params(warm_start=False).fit(*rows).set_params(classification_weight=0)
    model.partial_fit(*rows)


def test_attention_cannot_change(faces):
    model = TripletCenterEmbedder(16, max_epochs=1, random_state=0).fit(faces.images, faces.target)
    with pytest.raises(ValueError, match="attention=None, but partial_fit"):
        model.set_params(attention=None).partial_fit(faces.images, faces.target)


def test_history_of_a_net_grows_with_it_alone(embedder, rows):
    first = embedder.partial_fit(*rows).net_
    embedder.partial_fit(*rows)
    assert len(first.history) == 1
    assert len(embedder.net_.history) == 2


def test_a_pass_makes_only_its_own_epoch(embedder, rows):
    """Or thousands of passes would become slower and slower."""
    first = embedder.partial_fit(*rows).history_[0]
    assert embedder.partial_fit(*rows).history_[0] is first
    assert len(embedder.history_) == 2


def test_one_heading_for_all_passes(embedder, rows, capsys):
    embedder.set_params(verbose=1)
    for _ in range(3):
        embedder.partial_fit(*rows)
    assert capsys.readouterr().out.count("train_loss") == 1
    assert np.isfinite(embedder.history_[-1]["train_loss"])


class Remembers(nn.Module):
    """A loss with a setting and a count, both of them buffers."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("first", None)

    def forward(self, embeddings, labels):
        self.count += 1
        if self.first is None:
            self.first = embeddings[0].detach()
        return self.weight * embeddings.square().mean()


class Own(BaseEmbedder):
    """An embedder with it."""

    learns_from_triplets = False

    def __init__(self, weight=1.0, *, max_epochs=2, random_state=None):
        super().__init__(4, max_epochs=max_epochs, random_state=random_state)
        self.weight = weight

    def make_objective(self):
        return Objective(Remembers(self.weight), self.classification_weight)


@pytest.mark.parametrize("pickled", [False, True])
def test_what_a_loss_remembers_stays_and_settings_may_change(rows, pickled):
    model = Own(max_epochs=2, random_state=0).fit(*rows)
    loss = model.net_.criterion_.metric_loss
    model = pickle.loads(pickle.dumps(model)) if pickled else model
    model.set_params(weight=2.0).partial_fit(*rows)
    now = model.net_.criterion_.metric_loss
    assert int(now.count) > int(loss.count) > 0
    assert_array_equal(now.first, loss.first)
    assert now.weight == 2


@pytest.mark.parametrize("how", ["given again", "pickled"])
@pytest.mark.parametrize("make", [np.ones, torch.ones, lambda n: {"deep": [np.ones(n)]}])
def test_arrays_as_parameters_are_compared(rows, how, make):
    model = MetricLossEmbedder(_weighted, loss_params={"w": make(4)}, max_epochs=1)
    model.set_params(random_state=0, embedding_dim=4).fit(*rows)
    if how == "pickled":
        model = pickle.loads(pickle.dumps(model))
    else:
        model.set_params(loss_params={"w": make(4)})
    assert model.partial_fit(*rows).n_iter_ == 2
    for other in (make(3), 1.0, [1.0] * 4):
        with pytest.raises(ValueError, match=r"loss_params=.*, but partial_fit"):
            model.set_params(loss_params={"w": other}).partial_fit(*rows)


def _weighted(n_classes, w):
    return _Squares()


class _Squares(nn.Module):
    def forward(self, embeddings, labels):
        return embeddings.square().mean()
