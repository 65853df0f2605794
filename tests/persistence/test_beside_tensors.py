"""What a network and a loss have learned beside parameters and buffers is kept in a file too."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from torch import nn

import skfer
from skfer import CrossEntropyEmbedder, MetricLossEmbedder
from skfer.persistence._beside_tensors import changed_attributes, set_attributes

X, Y = load_iris(return_X_y=True)
QUICK = {"embedding_dim": 8, "max_epochs": 2, "random_state": 0}


class Moving(nn.Module):
    """Takes off a mean that it has as a plain tensor, and scales by a count."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 8)
        self.mean = torch.zeros(8)
        self.seen = {"n": 0, "batches": []}

    def forward(self, x):
        x = self.linear(x)
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * x.detach().mean(0)
            self.seen["n"] += 1
            self.seen["batches"].append(len(x))
        return (x - self.mean).relu() * (1 + 0.1 * self.seen["n"])


def make_moving(shape):
    return Moving()


class Remembering(nn.Module):
    """Compares with the first mean, and grows from call to call."""

    def __init__(self):
        super().__init__()
        self.first = None
        self.n = 0

    def forward(self, embeddings, labels):
        self.n += 1
        if self.first is None:
            self.first = embeddings.detach().mean(0)
        return (embeddings - self.first).square().mean() * (1 + self.n)


class Queue(nn.Module):
    """Remembers in what no file holds."""

    def __init__(self):
        super().__init__()
        self.queue = deque()

    def forward(self, embeddings, labels):
        self.queue.append(len(labels))
        return embeddings.square().mean()


class Placed(nn.Module):
    """A loss that notes where it was called."""

    device = None

    def forward(self, embeddings, labels):
        self.device = embeddings.device
        return embeddings.square().mean()


def test_where_a_loss_was_called_is_nothing_to_tell(tmp_path):
    model = MetricLossEmbedder(Placed, **QUICK).fit(X, Y)
    skfer.save(model, tmp_path / "model.skfer")
    assert skfer.load(tmp_path / "model.skfer", trusted=[Placed]).loss_.device is None


class Holder:
    """A loss that is no module, and counts."""

    def __init__(self):
        self.n = 0

    def __call__(self, embeddings, labels):
        self.n += 1
        return embeddings.square().mean()


@pytest.mark.parametrize("backbone", [Moving(), make_moving], ids=["module", "function"])
def test_a_backbone_with_plain_state_gives_the_same_embedding(backbone, tmp_path):
    model = CrossEntropyEmbedder(backbone=backbone, **QUICK).fit(X, Y)
    skfer.save(model, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer", trusted=[Moving, make_moving])
    assert model.backbone_.seen["n"] > 0
    assert loaded.backbone_.seen == model.backbone_.seen
    assert_array_equal(loaded.transform(X), model.transform(X))


def test_a_loss_goes_on_with_plain_state(tmp_path):
    model = MetricLossEmbedder(Remembering, **QUICK).fit(X, Y)
    skfer.save(model, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer", trusted=[Remembering])
    assert loaded.loss_.n == model.loss_.n > 0
    for one in (model, loaded):
        one.partial_fit(X, Y)
    assert loaded.loss_.n == model.loss_.n
    assert_array_equal(loaded.transform(X), model.transform(X))


@pytest.mark.parametrize(
    ("loss", "where"),
    [(Queue, r"metric_loss\.loss has something as queue"), (Holder, r"metric_loss has .* as loss")],
)
def test_state_that_no_file_holds_is_told_with_its_place(loss, where, tmp_path):
    model = MetricLossEmbedder(loss, **QUICK).fit(X, Y)
    with pytest.warns(UserWarning, match=where):
        skfer.save(model, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer", trusted=[loss])
    assert_array_equal(loaded.transform(X), model.transform(X))


def test_our_networks_have_nothing_but_tensors():
    model = CrossEntropyEmbedder(**QUICK).fit(X, Y)
    fresh = CrossEntropyEmbedder(**QUICK).fit(X, Y)
    assert changed_attributes(model.net_.module_, fresh.net_.module_) == {}


class Part(nn.Module):
    def __init__(self, **attributes):
        super().__init__()
        self.rnn = nn.LSTM(2, 3)  # lists its parameters in an attribute
        self.parts = [self.rnn]
        vars(self).update(attributes)


def itself():
    values = [1]
    values.append(values)
    return values


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, 2),
        (1, 1.0),
        (None, torch.ones(2)),
        (torch.zeros(2), torch.zeros(3)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (np.zeros(2), np.ones(2)),
        ([1, {"a": (2, torch.zeros(1))}], [1, {"a": (2, torch.ones(1))}]),
        ({"a": 1}, {"b": 1}),
        ({1}, {1, 2}),
        ([1], [1, 2]),
        (deque([1]), deque([2])),
        (SimpleNamespace(n=1), SimpleNamespace(n=2)),
        (np.random.RandomState(0), np.random.RandomState(1)),
        ([nn.Linear(2, 2)], [nn.Linear(2, 2)]),
    ],
)
def test_what_differs_is_told_and_set(old, new):
    trained, fresh = Part(value=new), Part(value=old)
    changed = changed_attributes(trained, fresh)
    assert changed.keys() == {""}
    assert changed[""].keys() == {"value"}
    set_attributes(fresh, changed)
    assert fresh.value is new


@pytest.mark.parametrize(
    "make",
    [
        lambda: float("nan"),
        lambda: torch.tensor([torch.nan, 1]),
        lambda: {"a": [np.zeros(2), "b", None]},
        lambda: SimpleNamespace(n=[1]),
        lambda: lambda: 0,
        lambda: torch.relu,
        lambda: iter([]),
        itself,
    ],
)
def test_what_is_the_same_is_left_out(make):
    assert changed_attributes(Part(value=make()), Part(value=make())) == {}


def test_what_a_pickle_leaves_out_is_left_out():
    class Leaving(Part):
        def __getstate__(self):
            return vars(self) | {"batch": None}

    assert changed_attributes(Leaving(batch=torch.ones(3)), Leaving(batch=None)) == {}


def test_a_parametrized_backbone_is_saved(tmp_path):
    model = CrossEntropyEmbedder(backbone=spectral, **QUICK).fit(X, Y)
    skfer.save(model, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer", trusted=[spectral])
    assert_array_equal(loaded.transform(X), model.transform(X))


def spectral(shape):
    return nn.utils.parametrizations.spectral_norm(nn.Linear(shape[0], 8))
