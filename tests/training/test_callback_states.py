"""A fit that goes on from a file with another bar or log than it began with."""

import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback, EarlyStopping

from skfer import ArgumentError, CrossEntropyEmbedder, TripletCenterEmbedder
from skfer.training import TrainingBar


class PowerCut(Callback):
    """Ends a training after three epochs, once."""

    only_watches = True
    comes = False

    def on_epoch_begin(self, net, **kwargs):
        if PowerCut.comes and len(net.history) == 3:
            PowerCut.comes = False
            raise RuntimeError("no power")


class Seen(Callback):
    """Remembers how many samples the batches of each epoch had."""

    only_watches = True

    def __init__(self):
        self.sizes = []

    def on_epoch_begin(self, net, **kwargs):
        self.sizes.append(0)

    def on_batch_end(self, net, batch=None, **kwargs):
        self.sizes[-1] += len(batch[0])


@pytest.fixture
def rows():
    rng = np.random.RandomState(0)
    return rng.normal(size=(40, 5)), np.arange(40) % 4


def fit(rows, *callbacks, kind=CrossEntropyEmbedder, **more):
    """Fit until a number that never changes is the same for the fifth time: the first is best."""
    stop = EarlyStopping("lr", patience=4, load_best=True)
    given = {"embedding_dim": 8, "max_epochs": 12, "schedule": "constant", "random_state": 0}
    model = kind(**given, callbacks=[*callbacks, stop], **more)
    return model.fit(*rows)


def fit_cut_short(rows, *callbacks, **more):
    PowerCut.comes = True
    with pytest.raises(RuntimeError, match="no power"):
        fit(rows, *callbacks, **more)


def assert_same(model, whole, X):
    assert model.n_iter_ == whole.n_iter_
    assert_array_equal(model.transform(X), whole.transform(X))
    if hasattr(whole, "centers_"):
        assert_array_equal(model.centers_, whole.centers_)


CUT = PowerCut()
WATCHED = {
    "a bar less": ((TrainingBar(), CUT), (CUT,)),
    "a bar more": ((CUT,), (TrainingBar(), CUT)),
    "a bar elsewhere": ((TrainingBar(), CUT), (CUT, TrainingBar())),
    "a bar by its class": ((TrainingBar, CUT), (CUT,)),
    "a bar with a name": ((CUT,), (("bar", TrainingBar()), CUT)),
}


@pytest.mark.parametrize("kind", [CrossEntropyEmbedder, TripletCenterEmbedder])
@pytest.mark.parametrize(("before", "after"), WATCHED.values(), ids=WATCHED)
def test_a_fit_goes_on_with_another_bar(before, after, kind, rows, tmp_path):
    whole = fit(rows, kind=kind)
    assert whole.n_iter_ == 5
    fit_cut_short(rows, *before, kind=kind, checkpoint=tmp_path)
    assert_same(fit(rows, *after, kind=kind, checkpoint=tmp_path), whole, rows[0])
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("verbose", [(1, 0), (0, 1)])
def test_a_fit_goes_on_with_other_words(verbose, rows, tmp_path, capsys):
    whole = fit(rows, kind=TripletCenterEmbedder)
    given = {"kind": TripletCenterEmbedder, "checkpoint": tmp_path}
    fit_cut_short(rows, CUT, verbose=verbose[0], **given)
    assert_same(fit(rows, CUT, verbose=verbose[1], **given), whole, rows[0])
    assert len(os.listdir(tmp_path)) == 1


def test_what_only_watches_remembers_comes_back(rows, tmp_path):
    whole = Seen()
    fit(rows, whole)
    fit_cut_short(rows, CUT, Seen(), checkpoint=tmp_path)
    seen = Seen()
    fit(rows, TrainingBar(), seen, checkpoint=tmp_path)  # beside another bar
    assert seen.sizes == whole.sizes
    assert len(seen.sizes) == 5
    several = Seen(), Seen()  # nothing tells which of them it was
    fit(rows, *several, checkpoint=tmp_path)
    assert [one.sizes for one in several] == [[], []]


class Grows(CrossEntropyEmbedder):
    """An embedder whose callbacks depend on what no parameter tells."""

    def make_callbacks(self, data):
        more = [] if os.environ.get("SKFER_TEST_FEW") else [Callback()]
        return [*super().make_callbacks(data), *more]


def test_other_callbacks_that_matter_are_told(rows, tmp_path, monkeypatch):
    fit_cut_short(rows, CUT, kind=Grows, checkpoint=tmp_path)
    monkeypatch.setenv("SKFER_TEST_FEW", "1")
    with pytest.raises(ArgumentError, match=r"checkpoint has .*'Callback', .* begun with"):
        fit(rows, CUT, kind=Grows, checkpoint=tmp_path)
    monkeypatch.delenv("SKFER_TEST_FEW")
    whole, model = fit(rows, kind=Grows), fit(rows, CUT, kind=Grows, checkpoint=tmp_path)
    assert_array_equal(model.transform(rows[0]), whole.transform(rows[0]))
