"""Ctrl-C, and how else a training ends early."""

import signal

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback, EarlyStopping

from skfer import ArgumentError, CrossEntropyEmbedder, EmbeddingCollapseWarning
from skfer.training import StopTraining

EVENTS = ["on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_train_end"]


class Interrupt(Callback):
    """Ends a training at an event, as Ctrl-C does it."""

    def __init__(self, event):
        self.event = event
        setattr(self, event, self.interrupt)

    def interrupt(self, net, **kwargs):
        if net.progress >= 0.5 or self.event.endswith("begin"):
            torch.set_grad_enabled(False)  # where it hits the way into a block without gradients
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("event", "early_stopping"), [*((event, False) for event in EVENTS), ("on_epoch_end", True)]
)
def test_an_interrupt_is_passed_on(embedder, rows, event, early_stopping, global_state):
    X, y = rows
    embedder.set_params(early_stopping=early_stopping, validation_fraction=0.3, callbacks=None)
    before = embedder.fit(X, y).transform(X)
    state = global_state()
    embedder.set_params(callbacks=[Interrupt(event)], lr=0.05)
    with pytest.raises(KeyboardInterrupt):
        embedder.fit(X, y)
    if event != "on_train_begin":
        with pytest.raises(KeyboardInterrupt):
            embedder.partial_fit(X, y)
    assert global_state() == state
    assert embedder.n_iter_ == 2
    assert_array_equal(embedder.transform(X), before)


def test_an_interrupt_of_the_first_fit_leaves_it_unfitted(embedder, rows):
    with pytest.raises(KeyboardInterrupt):
        embedder.set_params(callbacks=[Interrupt("on_epoch_end")]).fit(*rows)
    assert set(vars(embedder)) == set(embedder.get_params())


def test_only_what_has_waited_stops_quietly(embedder, rows):
    class Impatient(EarlyStopping):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    class Enough(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise StopTraining

    with pytest.raises(KeyboardInterrupt):
        embedder.set_params(callbacks=[Impatient(monitor="train_loss")]).fit(*rows)
    embedder.set_params(callbacks=[Enough()]).fit(*rows)
    check_is_fitted(embedder)
    assert embedder.n_iter_ == 1
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=1e3, threshold_mode="abs")
    embedder.set_params(callbacks=[stop], max_epochs=5).fit(*rows)
    assert embedder.n_iter_ == 2


class Stops(Callback):
    """Ends a training at an event, some way into it."""

    def __init__(self, event, after):
        self.event, self.after = event, after
        setattr(self, event, self.stop)

    def stop(self, net, **kwargs):
        if net.progress >= self.after:
            raise StopTraining


class Hears(Callback):
    """Notes the begin and the end of trainings."""

    def __init__(self):
        self.heard = []

    def on_train_begin(self, net, **kwargs):
        self.heard.append("begin")

    def on_train_end(self, net, **kwargs):
        self.heard.append("end")


@pytest.mark.parametrize("after", [0, 0.6])
@pytest.mark.parametrize("event", [*EVENTS, "on_batch_begin", "on_grad_computed"])
def test_training_may_be_stopped_at_any_event(embedder, rows, event, after):
    hears = Hears()
    embedder.set_params(callbacks=[Stops(event, after), hears]).fit(*rows)
    whole_epochs = {"on_train_begin": 0 if after == 0 else 2, "on_train_end": 2}
    if event == "on_epoch_end":
        whole_epochs[event] = 1 if after == 0 else 2
    expected = whole_epochs.get(event, 0 if after == 0 else 1)
    if event == "on_epoch_begin" and after:
        expected = 2  # at the begin of the second epoch half of the training is done
    assert embedder.n_iter_ == len(embedder.history_) == len(embedder.net_.history) == expected
    assert all("embedding_spread" in epoch for epoch in embedder.history_)
    assert hears.heard == ["begin", "end"]
    assert embedder.transform(rows[0]).shape == (40, 16)
    embedder.set_params(callbacks=None).partial_fit(*rows)
    assert embedder.n_iter_ == expected + 1


class Logs(Callback):
    """Notes the epochs that it is told of."""

    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(net.history[-1]["epoch"])


@pytest.mark.parametrize("stops_by", ["early_stopping", "skorch", "StopTraining"])
def test_callbacks_are_told_of_the_last_epoch(rows, stops_by, capsys):
    """As many as the history has, whatever ends the training, and whoever comes first."""
    before, after = Logs(), Logs()
    stop = EarlyStopping("train_loss", patience=2, threshold=1e3, threshold_mode="abs")
    between = {"skorch": [stop], "StopTraining": [Stops("on_epoch_end", 0.2)]}
    model = CrossEntropyEmbedder(
        8,
        max_epochs=20,
        early_stopping=stops_by == "early_stopping",
        n_iter_no_change=2,
        callbacks=[before, *between.get(stops_by, []), after],
        random_state=0,
        verbose=1,
    )
    X, y = rows
    model.fit(X, np.random.RandomState(0).permutation(y))  # nothing to learn, and so it stops
    assert 1 < model.n_iter_ < 20
    assert before.epochs == after.epochs == [epoch["epoch"] for epoch in model.history_]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines if line and line[0].isdigit()] == [
        str(epoch) for epoch in after.epochs
    ]


def test_a_warning_that_is_an_error_leaves_it_as_it_was(rows):
    """As a collapse may be, that is only found when all is trained."""
    model = CrossEntropyEmbedder(4, backbone="scratch", max_epochs=1, random_state=0).fit(*rows)
    before = model.transform(rows[0])
    model.set_params(callbacks=[Collapses()], max_epochs=2)
    with pytest.raises(EmbeddingCollapseWarning):
        model.fit(*rows)
    assert_array_equal(model.transform(rows[0]), before)


class Collapses(Callback):
    """Makes it look so."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("embedding_spread", 0.0)


def test_early_stopping_by_what_is_not_there_is_told(rows):
    stop = EarlyStopping(monitor="balanced_accuracy", lower_is_better=False)
    model = CrossEntropyEmbedder(4, max_epochs=1, early_stopping=True, callbacks=[stop])
    model.set_params(scoring="balanced_accuracy", validation_fraction=0.3, random_state=0)
    with pytest.raises(ArgumentError, match=r"EarlyStopping for 'balanced_accuracy'.*valid_bal"):
        model.fit(*rows)

    class Fails(EarlyStopping):
        def on_epoch_end(self, net, **kwargs):
            raise KeyError("other")

    with pytest.raises(KeyError, match="other"):
        model.set_params(callbacks=[Fails(monitor="valid_loss")]).fit(*rows)
