"""Weights averaged over the last epochs."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder
from skfer.embedders._network import choose_averaging
from skfer.training import AverageWeights

QUICK = {"embedding_dim": 4, "backbone": "auto", "samples_per_class": 4, "random_state": 0}


def net_of(module, criterion=None):
    return SimpleNamespace(
        module_=module,
        criterion_=nn.Module() if criterion is None else criterion,
        callbacks_=[],
    )


def one_number():
    module = nn.Module()
    module.value = nn.Parameter(torch.tensor([0.0]))
    module.register_buffer("count", torch.tensor(0))
    return module


def go_on(callback, net, values):
    with torch.no_grad():
        for value in values:
            net.module_.value.fill_(value)
            net.module_.count += 1
            callback.on_epoch_end(net)


@pytest.mark.parametrize(("skip", "mean"), [(0, 4.5), (1, 5), (4, 6.5), (7, 8), (9, 8)])
def test_mean_of_the_last_epochs(skip, mean):
    net, callback = net_of(one_number()), AverageWeights(skip)
    go_on(callback, net, range(1, 9))
    callback.on_train_end(net)
    assert_allclose(net.module_.value.item(), mean)
    assert net.module_.count == 8  # is not averaged


def test_a_training_that_ends_before_keeps_its_weights():
    net, callback = net_of(one_number()), AverageWeights(6)
    go_on(callback, net, [1, 2, 3])
    callback.on_train_end(net)
    assert net.module_.value.item() == 3


def test_what_the_criterion_learns_is_averaged_too():
    net, callback = net_of(one_number(), one_number()), AverageWeights(0)
    for value in (1.0, 3.0):
        nn.init.constant_(net.criterion_.value, value)
        callback.on_epoch_end(net)
    callback.on_train_end(net)
    assert net.criterion_.value.item() == 2


def test_another_shape_starts_anew():
    net, callback = net_of(one_number()), AverageWeights(0)
    go_on(callback, net, [1, 2])
    net.module_.value = nn.Parameter(torch.zeros(2))
    go_on(callback, net, [5, 7])
    callback.on_train_end(net)
    assert net.module_.value.tolist() == [6, 6]


def with_buffer(module, value):
    module.register_buffer("memory", value)
    return module


def test_what_a_loss_remembers_is_left_as_it_is():
    net = net_of(one_number(), with_buffer(one_number(), torch.zeros(2)))
    net.criterion_.norm = nn.BatchNorm1d(1)
    callback = AverageWeights(0)
    for value in (1.0, 3.0):
        net.criterion_.value.data.fill_(value)
        net.criterion_.memory.fill_(value)
        net.criterion_.norm.running_mean.fill_(value)
        callback.on_epoch_end(net)
    callback.on_train_end(net)
    assert net.criterion_.memory.tolist() == [3, 3]
    assert net.criterion_.value.item() == 2
    assert net.criterion_.norm.running_mean.item() == 2  # statistics go with the weights


@pytest.mark.parametrize("grows", ["module_", "criterion_"])
def test_a_buffer_that_grows_does_not_switch_it_off(grows):
    net, callback = net_of(one_number(), one_number()), AverageWeights(0)
    with_buffer(getattr(net, grows), torch.zeros(0))
    for value in (1, 2, 3):
        getattr(net, grows).memory = torch.full((value,), float(value))
        go_on(callback, net, [value])
    callback.on_train_end(net)
    assert net.module_.value.item() == 2
    assert getattr(net, grows).memory.tolist() == [3, 3, 3]


def test_goes_on_from_its_state():
    whole, broken = net_of(one_number()), net_of(one_number())
    go_on(one := AverageWeights(1), whole, [1, 2, 3, 4])
    go_on(first := AverageWeights(1), broken, [1, 2, 3])
    second = AverageWeights(1)
    second.load_state_dict(first.state_dict())
    go_on(second, broken, [4])
    for callback, net in ((one, whole), (second, broken)):
        callback.on_train_end(net)
        assert net.module_.value.item() == 3


class KeepWeights(Callback):
    """Keeps the weights and statistics after each epoch."""

    def initialize(self):
        self.kept = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.kept.append({k: v.clone() for k, v in net.module_.state_dict().items()})


@pytest.fixture
def rows():
    rng = np.random.RandomState(0)
    return rng.normal(size=(24, 3)).astype(np.float32), np.arange(24) % 3


def weights_of(model):
    return {k: v for k, v in model.net_.module_.state_dict().items() if v.is_floating_point()}


@pytest.mark.parametrize(("fraction", "n"), [(0.0, 1), (0.5, 2), (1.0, 4)])
def test_a_fit_ends_with_the_mean(rows, fraction, n):
    keep = KeepWeights()
    model = CrossEntropyEmbedder(
        **QUICK, max_epochs=4, average_weights=fraction, callbacks=[keep]
    ).fit(*rows)
    for name, value in weights_of(model).items():
        naive = np.mean([epoch[name].numpy() for epoch in keep.kept[-n:]], axis=0)
        assert_allclose(value.numpy(), naive, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("backbone", "first"), [("auto", 8), ("large", 8), ("scratch", 10), (nn.Flatten(), 10)]
)
def test_a_start_that_has_learned_is_averaged_by_default(backbone, first):
    """All passes but the first eight, and from noise the last one alone."""
    X = np.random.RandomState(0).randint(0, 256, (12, 16, 16)).astype(np.uint8)
    keep = KeepWeights()
    model = CrossEntropyEmbedder(**QUICK | {"backbone": backbone}, max_epochs=11, callbacks=[keep])
    model.fit(X, np.arange(12) % 2)
    for name, value in weights_of(model).items():
        naive = np.mean([epoch[name].numpy() for epoch in keep.kept[first:]], axis=0)
        assert_allclose(value.numpy(), naive, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("given", "epochs", "skip"),
    [
        ("auto", 160, 16),
        ("auto", 83, 9),
        ("auto", 40, 8),
        ("auto", 12, 8),
        ("auto", 8, 7),
        ("auto", 1, 0),
        (0, 10, 9),
        (0.7, 10, 3),
        (0.15, 10, 9),
        (0.05, 10, 9),
        (1, 10, 0),
    ],
)
def test_passes_that_are_not_averaged(given, epochs, skip):
    """Of a share so many count as whole passes go into it; the last one always does."""
    assert choose_averaging(given, "auto", None, (48, 48), epochs) == skip


def test_what_has_learned():
    """Weights of a file, and the starts that come with the package; rows have none."""
    assert choose_averaging("auto", "timm/resnet18", "weights.pth", (48, 48), 40) == 8
    for backbone, shape in (("timm/resnet18", (48, 48)), ("auto", (9,)), (nn.Flatten(), (48, 48))):
        assert choose_averaging("auto", backbone, None, shape, 40) == 39


def test_passes_and_early_stopping_are_not_averaged(rows):
    X, y = rows
    keep = KeepWeights()
    model = CrossEntropyEmbedder(**QUICK, max_epochs=4, average_weights=1, callbacks=[keep])
    model.partial_fit(X, y, classes=[0, 1, 2])
    model.partial_fit(X, y)
    last = keep.kept[-1]
    for name, value in weights_of(model).items():
        assert_array_equal(value.numpy(), last[name].numpy(), err_msg=name)
    model.set_params(early_stopping=True, validation_fraction=0.25).fit(X, y)
    losses = [epoch["valid_loss"] for epoch in model.history_]
    best = keep.kept[-len(losses) :][int(np.argmin(losses))]
    for name, value in weights_of(model).items():
        assert_array_equal(value.numpy(), best[name].numpy(), err_msg=name)


def test_statistics_of_the_embedding_are_those_of_the_mean(rows):
    """The Gaussians are fitted to what the averaged network says."""
    X, y = rows
    model = GaussianMetricEmbedder(**QUICK, max_epochs=4, average_weights=1, max_subclasses=1)
    embedded = model.fit(X, y).transform(X)
    means = np.stack([embedded[y == c].mean(axis=0) for c in range(3)])
    assert_allclose(model.means_, means, atol=1e-5)


@pytest.mark.parametrize("fraction", [-0.1, 1.5, "half"])
def test_odd_shares_are_refused(rows, fraction):
    with pytest.raises(ValueError, match="average_weights"):
        CrossEntropyEmbedder(average_weights=fraction).fit(*rows)
