"""Early stopping goes back to all of its best epoch."""

import torch
from skorch.history import History
from torch import nn

from skfer.training import StopAtBest
from skfer.training._stopping import _extra_state


class Net:
    """What early stopping needs of a net."""

    verbose = 0
    callbacks_ = ()

    def __init__(self):
        self.module_, self.criterion_ = nn.BatchNorm1d(2), nn.Module()
        self.criterion_.register_buffer("memory", torch.zeros(0))
        self.criterion_.register_buffer("count", torch.tensor(0), persistent=False)
        self.history = History()

    def end_epoch(self, callback, loss):
        self.history.new_epoch()
        self.history.record("epoch", len(self.history))
        self.history.record("valid_loss", loss)
        self.criterion_.memory = torch.cat([self.criterion_.memory, torch.ones(1)])
        self.criterion_.count += 1
        nn.init.constant_(self.module_.weight, loss)
        callback.on_epoch_end(self)


def test_buffers_are_those_of_the_best_epoch():
    """Also where they have another shape since, and where state_dict leaves them out."""
    callback, net = StopAtBest(patience=5), Net()
    callback.on_train_begin(net)
    for loss in (3.0, 1.0, 2.0):
        net.end_epoch(callback, loss)
    other = StopAtBest(patience=5)  # as after a kill
    other.load_state_dict(callback.state_dict())
    other.on_train_end(net)
    assert net.criterion_.memory.tolist() == [1, 1]
    assert net.criterion_.count == 2
    assert net.module_.weight.tolist() == [1, 1]


class Counting(nn.Module):
    """Keeps a count beside its tensors."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def get_extra_state(self):
        return self.n

    def set_extra_state(self, state):
        self.n = state


def test_what_modules_keep_beside_their_tensors():
    outer = nn.Sequential(nn.Linear(1, 1), Counting())
    outer[1].n = 3
    kept = _extra_state(outer)
    assert kept == {"1._extra_state": 3}
    outer[1].n = 5
    outer.load_state_dict(kept, strict=False)
    assert outer[1].n == 3
    assert _extra_state(Counting()) == {"_extra_state": 0}
