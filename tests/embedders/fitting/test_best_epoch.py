"""skorch's early stopping with load_best: network and loss end at the same epoch."""

import numpy as np
import pytest
import torch
from pytorch_metric_learning import losses
from skorch.callbacks import Callback, EarlyStopping

from skfer import GaussianMetricEmbedder, MetricLossEmbedder, TripletCenterEmbedder
from skfer.training import StopTraining
from skfer.training._module_state import tensors_of

QUICK = {
    "backbone": "scratch",
    "embedding_dim": 8,
    "samples_per_class": 4,
    "max_epochs": 6,
    "average_weights": 0.9,
    "random_state": 0,
}
VALIDATED = {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 50}
BEST = {"lower_is_better": False, "load_best": True, "patience": 50}


class Rates(Callback):
    """Writes a mark for each epoch, and remembers what it has led to."""

    only_watches = True

    def __init__(self, marks=()):
        self.marks = marks

    def on_train_begin(self, net, **kwargs):
        self.parts = []

    def on_epoch_end(self, net, **kwargs):
        if self.marks:
            net.history.record("mark", self.marks[len(self.parts)])
        self.parts.append(_parts(net))


def _parts(net):
    parts = (net.module_, net.criterion_)
    return [t.detach().clone() for part in parts for t in tensors_of(part).values()]


def _epoch_of(model, rates):
    """Return the epoch that all of a model is of."""
    final = _parts(model.net_)
    same = [all(map(torch.equal, parts, final)) for parts in rates.parts]
    return same.index(True) + 1 if any(same) else None


def _marked(best, n=6):
    return [float(epoch == best) for epoch in range(1, n + 1)]


EMBEDDERS = {
    "centers": TripletCenterEmbedder(**QUICK),
    "proxies": MetricLossEmbedder(losses.ProxyAnchorLoss, **QUICK),
}


@pytest.fixture(params=EMBEDDERS.values(), ids=EMBEDDERS)
def learns(request):
    """An embedder whose loss learns too."""
    return request.param.__class__(**request.param.get_params(deep=False))


@pytest.mark.parametrize("best", [1, 3, 6])
@pytest.mark.parametrize("how", [{}, VALIDATED], ids=["the mean", "early stopping"])
def test_network_and_loss_are_of_one_epoch(learns, rows, how, best):
    rates = Rates(_marked(best))
    stop = EarlyStopping("mark", **BEST)
    learns.set_params(callbacks=[rates, stop], **how).fit(*rows)
    assert _epoch_of(learns, rates) == stop.best_epoch_ == best


def test_what_is_learned_afterwards_belongs_to_that_epoch(rows):
    settings = QUICK | VALIDATED | {"schedule": "constant"}
    callbacks = [Rates(_marked(2)), EarlyStopping("mark", **BEST)]
    model = TripletCenterEmbedder(**settings, callbacks=callbacks).fit(*rows)
    callbacks = [Rates(_marked(2)), EarlyStopping("mark", **BEST)]
    short = TripletCenterEmbedder(**settings | {"max_epochs": 2}, callbacks=callbacks)
    np.testing.assert_array_equal(model.centers_, short.fit(*rows).centers_)


def test_it_equals_the_embedder_s_own_early_stopping(learns, rows):
    """That of the validation loss."""
    settings = {**VALIDATED, "lr": 0.05, "max_epochs": 12}
    own = learns.set_params(**settings).fit(*rows)
    rates = Rates()
    stop = EarlyStopping("valid_loss", patience=50, load_best=True)
    other = learns.__class__(**learns.get_params(deep=False))
    other.set_params(callbacks=[rates, stop]).fit(*rows)
    assert _epoch_of(other, rates) == stop.best_epoch_ < 12
    assert all(map(torch.equal, _parts(own.net_), _parts(other.net_)))


def test_the_last_of_several_decides(rows):
    class Other(EarlyStopping):
        def on_train_begin(self, net, **kwargs):
            super().on_train_begin(net, **kwargs)
            self.monitor = "train_loss"
            self.lower_is_better = True
            self.dynamic_threshold_ = np.inf

    rates, stop = Rates(_marked(2)), EarlyStopping("mark", **BEST)
    first = Other("train_loss", load_best=True, patience=50)
    model = TripletCenterEmbedder(**QUICK, callbacks=[rates, first, stop]).fit(*rows)
    assert _epoch_of(model, rates) == 2 != first.best_epoch_


class Ends(Callback):
    """Ends a training after an epoch, or in the one after it."""

    def __init__(self, epoch, event):
        self.epoch, self.event = epoch, event

    def on_epoch_end(self, net, **kwargs):
        if self.event == "epoch" and len(net.history) == self.epoch:
            raise StopTraining

    def on_batch_end(self, net, training=False, **kwargs):
        if self.event == "batch" and training and len(net.history) == self.epoch + 1:
            raise StopTraining


@pytest.mark.parametrize("event", ["epoch", "batch"])
@pytest.mark.parametrize("how", [{}, VALIDATED], ids=["the mean", "early stopping"])
def test_a_callback_that_ends_the_training_there(rows, how, event):
    rates, stop = Rates(_marked(4)), EarlyStopping("mark", **BEST)
    callbacks = [rates, stop, Ends(4, event)]
    model = TripletCenterEmbedder(**QUICK, **how, callbacks=callbacks).fit(*rows)
    assert _epoch_of(model, rates) == stop.best_epoch_ == model.n_iter_ == 4


@pytest.mark.parametrize("how", [{}, VALIDATED], ids=["the mean", "early stopping"])
def test_without_a_best_epoch_all_is_as_without_it(rows, how):
    stop = EarlyStopping("mark", **BEST)
    marked = [Rates([np.nan] * 6), stop]
    one, other = (
        TripletCenterEmbedder(**QUICK, **how, callbacks=given).fit(*rows)
        for given in (None, marked)
    )
    assert stop.best_epoch_ == 0
    assert all(map(torch.equal, _parts(one.net_), _parts(other.net_)))


def test_it_goes_on_after_a_kill(rows, tmp_path):
    class Killed(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if not kept and len(net.history) == 4:
                kept.append(1)
                raise RuntimeError("killed")

    class Marks(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("mark", float(len(net.history) == 2))

    def fresh(**more):
        callbacks = [Marks(), EarlyStopping("mark", **BEST), Killed()]
        return TripletCenterEmbedder(**QUICK, callbacks=callbacks, **more)

    kept = []
    with pytest.raises(RuntimeError, match="killed"):
        fresh(checkpoint=tmp_path).fit(*rows)
    again = fresh(checkpoint=tmp_path).fit(*rows)
    whole = fresh().fit(*rows)
    assert all(map(torch.equal, _parts(again.net_), _parts(whole.net_)))
    np.testing.assert_array_equal(again.centers_, whole.centers_)
    finished = fresh(checkpoint=tmp_path).fit(*rows)
    np.testing.assert_array_equal(finished.centers_, whole.centers_)


def test_it_does_not_go_back_behind_new_subclasses():
    """Weights from before a split would have Gaussians for other sub-classes."""
    rng = np.random.RandomState(0)
    blob = np.arange(300) % 3
    X, y = rng.normal(size=(300, 4)) + 6 * np.eye(4)[blob], np.where(blob == 0, "a", "b")
    rates, stop = Rates(_marked(1, 12)), EarlyStopping("mark", **BEST)
    model = GaussianMetricEmbedder(
        **QUICK | {"max_epochs": 12}, max_subclasses=2, callbacks=[rates, stop]
    ).fit(X, y)
    assert _epoch_of(model, rates) == stop.best_epoch_ > 1
