"""A fit that is kept on disk: what a killed one goes on from, and what cannot be kept."""

import os
import runpy
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from pytorch_metric_learning import losses
from skorch.callbacks import Callback, EarlyStopping, Freezer

import skfer
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MetricLossEmbedder,
    MultiThresholdEmbedder,
)

QUICK = {"backbone": "scratch", "embedding_dim": 16, "samples_per_class": 4, "random_state": 0}


class Breaks(Callback):
    """Ends a training in some batch of some epoch, as a killed process does."""

    at = [None]  # noqa: RUF012 (a constant of the class would count, and no fit would go on)

    def on_train_begin(self, net, **kwargs):
        self.epoch = 0

    def on_epoch_begin(self, net, **kwargs):
        self.epoch += 1

    def on_batch_end(self, net, **kwargs):
        if self.at == [self.epoch]:
            raise RuntimeError("killed")


@pytest.fixture
def broken(monkeypatch):
    """Fit a model that breaks in an epoch, and then again without a break."""

    def fit(make, *data, at):
        for epoch in at:
            monkeypatch.setattr(Breaks, "at", [epoch])
            with pytest.raises(RuntimeError, match="killed"):
                make().fit(*data)
        monkeypatch.setattr(Breaks, "at", [None])
        return make().fit(*data)

    return fit


def _assert_same(model, whole, X):
    assert_array_equal(model.transform(X), whole.transform(X))
    assert [_untimed(epoch) for epoch in model.history_] == list(map(_untimed, whole.history_))
    theirs = whole.net_.criterion_.state_dict()
    for name, value in model.net_.criterion_.state_dict().items():
        assert_array_equal(value.to_dense(), theirs[name].to_dense(), err_msg=name)


def _untimed(epoch):
    return {name: value for name, value in epoch.items() if name != "dur"}


@pytest.mark.parametrize("at", [[1], [2, 4]])
def test_a_fit_that_breaks_goes_on(embedder, faces, tmp_path, broken, at):
    embedder.set_params(max_epochs=4, average_weights=0.75, callbacks=[Breaks()])

    def make():
        return embedder.__class__(**embedder.get_params()).set_params(checkpoint=tmp_path / "fit")

    whole = embedder.fit(faces.images, faces.target)
    model = broken(make, faces.images, faces.target, at=at)
    _assert_same(model, whole, faces.images)
    (file,) = (tmp_path / "fit").iterdir()
    assert file.suffix == ".ckpt"


def _blobs(n_unlabeled):
    """Two classes, one of them of two clusters; some samples have no label."""
    rng = np.random.RandomState(0)
    kinds = np.arange(90) % 3
    X = rng.normal(size=(90, 4)) + 6 * np.eye(4)[kinds]
    y = (kinds > 0).astype(int) + 1
    y[:n_unlabeled] = -1
    return X, y, np.arange(90) % 9


@pytest.mark.parametrize(("n_unlabeled", "early_stopping"), [(0, True), (40, False)])
def test_subclasses_and_pseudo_labels_go_on(tmp_path, broken, n_unlabeled, early_stopping):
    X, y, groups = _blobs(n_unlabeled)
    given = QUICK | {
        "max_epochs": 6,
        "max_subclasses": 3,
        "callbacks": [Breaks()],
        "freeze_backbone": 2,
        "early_stopping": early_stopping,
        "average_weights": 1,
        "schedule": "constant",
        "mixup": 2,
    }
    whole = GaussianMetricEmbedder(**given).fit(X, y, groups)
    model = broken(
        lambda: GaussianMetricEmbedder(**given, checkpoint=tmp_path), X, y, groups, at=[2, 3, 5]
    )
    _assert_same(model, whole, X)
    assert_array_equal(model.means_, whole.means_)
    assert_array_equal(model.transduction_, whole.transduction_)


class Grows(torch.nn.Module):
    """A loss whose weight grows from call to call, by a number that is no buffer."""

    def __init__(self):
        super().__init__()
        self.n_calls = 0

    def forward(self, embeddings, labels):
        self.n_calls += 1
        return embeddings[labels == 0].square().mean() * self.n_calls


class Weighted(torch.nn.Module):
    """A loss whose weight changes from call to call by what it remembers in some way."""

    def __init__(self):
        super().__init__()
        self.start()

    def forward(self, embeddings, labels):
        weight = torch.as_tensor(self.next_weight(embeddings.detach()))
        return embeddings[labels == 0].square().mean() * weight.abs().sum()


class InTensor(Weighted):
    def start(self):
        self.mean = None

    def next_weight(self, embeddings):
        now = embeddings.mean(0)
        self.mean = now if self.mean is None else 0.9 * self.mean + 0.1 * now
        return self.mean


class InContainers(Weighted):
    def start(self):
        self.seen = {"all": [], (0, 1): deque(maxlen=3), "calls": set()}

    def next_weight(self, embeddings):
        self.seen["all"].append(float(embeddings.abs().mean()))
        self.seen[0, 1].append(embeddings[0])
        self.seen["calls"].add(len(self.seen["calls"]))
        return sum(self.seen["all"]) + sum(self.seen[0, 1]).sum() + len(self.seen["calls"])


class InGenerators(Weighted):
    def start(self):
        self.torch, self.numpy = torch.Generator().manual_seed(0), np.random.RandomState(0)

    def next_weight(self, embeddings):
        return torch.rand(1, generator=self.torch) + self.numpy.uniform()


class InSparse(Weighted):
    def start(self):
        self.register_buffer("sparse", torch.eye(2).to_sparse())

    def next_weight(self, embeddings):
        self.sparse = self.sparse * 1.1
        return self.sparse.to_dense()


LOSSES = {
    "a tensor": InTensor,
    "containers": InContainers,
    "generators": InGenerators,
    "a sparse tensor": lambda: InSparse,
    "a memory that is filled in turn": lambda: losses.CrossBatchMemory(
        losses.ContrastiveLoss(), 8, memory_size=40
    ),
    "a count of calls": Grows,
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_what_a_loss_counts_goes_on(loss, rows, tmp_path, broken):
    given = QUICK | {"max_epochs": 6, "callbacks": [Breaks()], "embedding_dim": 8}
    whole = MetricLossEmbedder(loss(), **given).fit(*rows)
    model = broken(
        lambda: MetricLossEmbedder(loss(), **given, checkpoint=tmp_path), *rows, at=[2, 5]
    )
    _assert_same(model, whole, rows[0])
    finished = MetricLossEmbedder(loss(), **given, checkpoint=tmp_path).fit(*rows)
    for one, other in zip(finished.loss_.modules(), whole.loss_.modules(), strict=True):
        for name, value in vars(other).items():
            if type(value) in (bool, int, float):
                assert getattr(one, name) == value


def test_a_finished_fit_has_all_that_the_loss_remembers(rows, tmp_path):
    def fresh(loss):
        return MetricLossEmbedder(loss, **QUICK, max_epochs=2, checkpoint=tmp_path).fit(*rows).loss_

    first, loaded = fresh(InTensor), fresh(InTensor)
    assert first is not loaded
    assert torch.equal(first.mean, loaded.mean)
    first, loaded = fresh(InGenerators), fresh(InGenerators)
    assert torch.equal(first.torch.get_state(), loaded.torch.get_state())
    assert first.numpy.uniform() == loaded.numpy.uniform()


class Counts(torch.nn.Module):
    """A backbone that counts its calls in training."""

    def __init__(self):
        super().__init__()
        self.linear, self.n, self.drop = torch.nn.Linear(5, 6), 0, torch.nn.Dropout(0.5)

    def forward(self, x):
        self.n += self.training
        return self.drop(self.linear(x)) * (1 + 0.1 * self.n)


BACKBONE = Counts()  # one alone, as its weights are drawn; a fit copies it


class ChangesOnce(Callback):
    """Changes something of the net before its third epoch."""

    def __init__(self, change):
        self.change = change

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            self.change(net)


class InSet(Callback):
    """Remembers in a set what it has changed."""

    def initialize(self):
        self.epochs = set()
        return self

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.add(len(self.epochs))
        net.criterion_.classification_weight = 1 / len(self.epochs)


def _add_group(net):
    net.module_.more = torch.nn.Parameter(torch.ones(5))
    net.optimizer_.add_param_group({"params": [net.module_.more], "lr": 0.5})


def _drop_less(net):
    net.module_.backbone.drop.p = 0.1


def _evaluate_backbone(net):
    net.module_.backbone.eval()


CALLBACKS = {
    "skorch's Freezer": lambda: Freezer("backbone.*"),
    "requires_grad": lambda: ChangesOnce(lambda net: net.module_.project.requires_grad_(False)),
    "dropout": lambda: ChangesOnce(_drop_less),
    "inference mode": lambda: ChangesOnce(_evaluate_backbone),
    "a group of parameters": lambda: ChangesOnce(_add_group),
    "a set": InSet,
    "the best weights": lambda: EarlyStopping(
        "lr", patience=20, lower_is_better=False, threshold_mode="abs", load_best=True
    ),
}


@pytest.mark.parametrize("make", CALLBACKS.values(), ids=CALLBACKS)
def test_what_callbacks_change_goes_on(make, rows, tmp_path, broken):
    def fresh(**more):
        callbacks = [make(), Breaks()]
        return CrossEntropyEmbedder(
            **QUICK | {"backbone": BACKBONE}, max_epochs=6, callbacks=callbacks, **more
        )

    whole = fresh().fit(*rows)
    model = broken(lambda: fresh(checkpoint=tmp_path), *rows, at=[5])
    _assert_same(model, whole, rows[0])
    assert model.net_.module_.backbone.n == whole.net_.module_.backbone.n > 0
    assert fresh(checkpoint=tmp_path).fit(*rows).net_.module_.backbone.n == model.backbone_.n


def test_a_part_that_is_taken_out_stays_out(faces, tmp_path, broken):
    def fresh(**more):
        callbacks = [ChangesOnce(lambda net: setattr(net.module_, "augment", None)), Breaks()]
        return CrossEntropyEmbedder(**QUICK, max_epochs=5, callbacks=callbacks, **more)

    whole = fresh().fit(faces.images, faces.target)
    model = broken(lambda: fresh(checkpoint=tmp_path), faces.images, faces.target, at=[5])
    _assert_same(model, whole, faces.images)
    assert model.net_.module_.augment is None


def test_layers_that_get_their_size_when_they_are_first_called(rows, tmp_path, broken):
    def fresh(**more):
        lazy = torch.nn.Sequential(torch.nn.LazyLinear(6), torch.nn.ReLU())
        return CrossEntropyEmbedder(
            **QUICK | {"backbone": lazy}, max_epochs=4, callbacks=[Breaks()], **more
        )

    whole = fresh().fit(*rows)
    _assert_same(broken(lambda: fresh(checkpoint=tmp_path), *rows, at=[3]), whole, rows[0])


def _add_hook(net):
    net.module_.backbone.register_forward_hook(lambda layer, inputs, output: 2 * output)


def _add_foreign(net):
    net.optimizer_.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})


@dataclass
class Count:
    n: int = 0


class InObject(Weighted):
    def start(self):
        self.count = Count()

    def next_weight(self, embeddings):
        self.count.n += 1
        return float(self.count.n)


def test_what_is_not_kept_is_told(rows, tmp_path):
    def fit(change=None, **more):
        callbacks = [] if change is None else [ChangesOnce(change)]
        model = MetricLossEmbedder(**QUICK, max_epochs=3, callbacks=callbacks, checkpoint=tmp_path)
        return model.set_params(**more).fit(*rows)

    def put_in(net):
        net.module_.more = torch.nn.ReLU()

    with pytest.warns(UserWarning, match="does not keep a hook of .* 'backbone', which"):
        fit(_add_hook)
    with pytest.warns(UserWarning, match="does not keep ReLU 'more', which was put there"):
        fit(put_in)
    with pytest.raises(skfer.ArgumentError, match=r"has a part of the network.*'more'"):
        fit(put_in)
    with pytest.warns(UserWarning, match=r"an object that InObject 'metric_loss\.loss' has"):
        fit(loss=InObject)
    with pytest.raises(skfer.ArgumentError, match="given to the optimizer"):
        fit(_add_foreign)


class SaysTooMuch(Callback):
    def state_dict(self):
        return {"odd": {1}}


def test_a_callback_that_says_what_cannot_be_kept_is_named(rows, tmp_path):
    model = CrossEntropyEmbedder(**QUICK, callbacks=[SaysTooMuch()], checkpoint=tmp_path)
    with pytest.raises(skfer.ArgumentError, match="state_dict of SaysTooMuch returns: set is no"):
        model.fit(*rows)


class Halves(Callback):
    """Changes the weights when all is over."""

    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            net.module_.project.weight[0] *= -0.5


def test_an_end_that_changes_the_weights_comes_once(rows, tmp_path):
    def fresh(**more):
        return CrossEntropyEmbedder(**QUICK, max_epochs=2, callbacks=[Halves()], **more)

    whole = fresh().fit(*rows)
    for _ in range(3):  # the last two load what the first has kept
        model = fresh(checkpoint=tmp_path).fit(*rows)
        assert_array_equal(model.transform(rows[0]), whole.transform(rows[0]))
        assert torch.equal(model.net_.module_.project.weight, whole.net_.module_.project.weight)


def test_early_stopping_goes_back_to_an_epoch_before_the_break(rows, tmp_path, broken):
    given = QUICK | {
        "max_epochs": 30,
        "lr": 0.05,
        "callbacks": [Breaks()],
        "early_stopping": True,
        "schedule": "constant",
        "validation_fraction": 0.3,
        "n_iter_no_change": 3,
    }
    whole = MultiThresholdEmbedder(**given).fit(*rows)
    stop = whole.n_iter_
    assert 4 < stop < 30
    model = broken(
        lambda: MultiThresholdEmbedder(**given, checkpoint=tmp_path), *rows, at=[stop - 1, stop]
    )
    _assert_same(model, whole, rows[0])


def test_a_finished_fit_is_loaded(rows, tmp_path):
    seen = []

    class Watch(Callback):
        def on_batch_end(self, net, **kwargs):
            seen.append(net)

    model = GaussianMetricEmbedder(
        **QUICK, max_epochs=2, checkpoint=str(tmp_path), callbacks=[Watch()]
    )
    first = model.fit(*rows).transform(rows[0])
    steps = len(seen)
    again = model.fit(*rows)
    assert len(seen) == steps
    assert_array_equal(again.transform(rows[0]), first)
    assert again.n_iter_ == 2
    again.partial_fit(*rows)
    assert again.n_iter_ == 3


def test_a_warm_start_goes_on(rows, tmp_path, monkeypatch):
    given = QUICK | {"max_epochs": 3, "warm_start": True, "callbacks": [Breaks()]}
    whole = CrossEntropyEmbedder(**given).fit(*rows).fit(*rows)
    model = CrossEntropyEmbedder(**given).fit(*rows).set_params(checkpoint=tmp_path)
    monkeypatch.setattr(Breaks, "at", [2])
    with pytest.raises(RuntimeError, match="killed"):
        model.fit(*rows)
    monkeypatch.setattr(Breaks, "at", [None])
    _assert_same(model.fit(*rows), whole, rows[0])


SCRIPT = """
import sys
import time
import numpy as np
from skfer import TripletCenterEmbedder
from skfer.training import MetricNet

begin = MetricNet.on_epoch_begin

def stay(self, net, **kwargs):
    begin(self, net, **kwargs)
    if len(net.history) == 3:
        time.sleep(600)

if len(sys.argv) > 2:  # stays in the third epoch, to be killed
    MetricNet.on_epoch_begin = stay
rng = np.random.RandomState(0)
X = rng.randint(0, 256, (48, 16, 16), dtype=np.uint8)
model = TripletCenterEmbedder(
    backbone="scratch", embedding_dim=8, max_epochs=12, random_state=0, checkpoint=sys.argv[1]
)
Z = model.fit(X, np.arange(48) % 4).transform(X)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_goes_on(tmp_path, monkeypatch):
    (tmp_path / "fit.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path(skfer.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, tmp_path / "fit.py", tmp_path / "killed", "stay"], env=environment
    )
    while not list(tmp_path.glob("killed/*.ckpt")):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (file,) = tmp_path.glob("killed/*.ckpt")
    assert not torch.load(file, weights_only=True)["finished"]
    embeddings = []
    for folder in ("killed", "whole"):
        monkeypatch.setattr(sys, "argv", ["fit.py", str(tmp_path / folder)])
        embeddings.append(runpy.run_path(str(tmp_path / "fit.py"))["Z"])
    assert [file.name] == [other.name for other in tmp_path.glob("whole/*.ckpt")]
    assert_array_equal(*embeddings)
