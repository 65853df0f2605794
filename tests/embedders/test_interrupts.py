"""Ctrl-C, and how else a training ends early."""

import signal

import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback, EarlyStopping

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
