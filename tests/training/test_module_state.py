"""All that a module is, set again on one that was made in the same way."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from skfer import ArgumentError
from skfer.training._module_state import buffer_traces, changed, set_state, state_of, unkept


def moved(module, other):
    """Set another module to the state of one, as it would be after a file."""
    set_state(other, copy.deepcopy(state_of(module)), "cpu")
    return other


class Cached(nn.Module):
    """Leaves a cache out of its pickles."""

    def __init__(self):
        super().__init__()
        self.count, self.cache = 0, None

    def __getstate__(self):
        return vars(self) | {"cache": None}


def test_parameters_and_buffers_of_another_shape():
    one, other = nn.BatchNorm1d(2), nn.BatchNorm1d(3)
    one.weight.requires_grad_(False)
    one.extra = nn.Parameter(torch.ones(4))
    one.register_buffer("empty", torch.ones(1))
    other.register_buffer("empty", None)
    one.running_var = None
    weight = other.weight
    moved(one, other)
    assert other.weight is weight  # an optimizer may have it
    assert (weight.shape, weight.requires_grad) == ((2,), False)
    assert isinstance(other.extra, nn.Parameter)
    assert other.extra.tolist() == [1] * 4
    assert other.running_mean.shape == (2,)
    assert other.running_var is None
    assert other.empty.tolist() == [1]


def test_a_lazy_layer_gets_its_size():
    one, other = (nn.Sequential(nn.LazyLinear(2)) for _ in range(2))
    x = torch.ones(1, 3)
    moved(one, other)  # nothing yet
    expected = one(x)
    assert torch.equal(moved(one, other)(x), expected)


def test_modes_and_parts_that_are_gone():
    one, other = (nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5)) for _ in range(2))
    one[1].eval()
    one[1].p = 0.1
    one.register_module("0", None)
    moved(one, other)
    assert other[0] is None
    assert (other[1].training, other.training, other[1].p) == (False, True, 0.1)
    with pytest.raises(ArgumentError, match=r"has a part .* not there when a fit starts, '0'"):
        moved(nn.Sequential(nn.Linear(1, 1)), one)


def test_a_cache_is_made_anew():
    one, other = Cached(), Cached()
    one.count, one.cache, other.cache = 3, {"size": 2}, {"size": 1}
    moved(one, other)
    assert (other.count, other.cache) == (3, {"size": 1})


def test_views_of_parameters_stay_views():
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    for layer in (one, other):
        layer.first = layer.weight.detach()[0]
        layer.known = [layer.weight, layer.bias]
    moved(one, other)
    assert torch.equal(other.weight, one.weight)
    assert other.first.data_ptr() == other.weight.data_ptr()
    assert other.known[0] is other.weight


def test_parametrizations():
    """Their modules refuse to be pickled."""
    one, other = (spectral_norm(nn.Linear(3, 2)) for _ in range(2))
    moved(one, other)
    assert torch.equal(one.eval()(torch.ones(1, 3)), other.eval()(torch.ones(1, 3)))


def test_what_a_state_does_not_tell():
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    before = unkept(module)
    module[0].weight.data.fill_(3)
    module[1] = nn.ReLU()  # of the same kind
    assert list(changed(before, unkept(module))) == []
    module[1] = nn.Tanh()
    module[0].register_forward_hook(lambda layer, inputs, output: None)
    module.note = [Note()]
    found = list(changed(before, unkept(module)))
    assert found == [
        "an object that Sequential has as an attribute",
        "a hook of Linear '0'",
        "Tanh '1', which was put there",
    ]


class Note:
    """No plain value."""


def test_traces_of_buffers():
    module = nn.Sequential(nn.BatchNorm1d(2))
    module.register_buffer("empty", None)
    module.register_buffer("sparse", torch.eye(2).to_sparse())
    before = buffer_traces(module)
    module[0].running_mean += 1
    now = buffer_traces(module)
    assert {name for name in now if now[name] != before[name]} == {"0.running_mean"}
    assert now["empty"] is None
