"""Attributes of objects as plain values, through a file and back."""

import io
import logging
import random
from collections import Counter, OrderedDict, defaultdict, deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skfer.training._attributes import MISSING, made_again, taken_apart, trace_of


def read_again(value):
    """Return it as a checkpoint has it, which is read without running code."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)


VALUES = {
    "numbers": [True, 3, 2.5, None, "text"],
    "nested": {"a": [1, (2, {"b": {3}})], "c": frozenset({4})},
    "keys": {(1, 2): 3, 4: 5},
    "ordered": OrderedDict(b=1, a=[2]),
    "counter": Counter("aab"),
    "deque": deque([1, 2], maxlen=2),
    "namespace": SimpleNamespace(margin=0.5, seen=[1]),
    "numpy's numbers": [np.float32(0.1), np.int64(3), np.bool_(True)],
    "nothing": [[], {}, (), set()],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("there", [MISSING, None, 7])
def test_values_come_back(value, there):
    again = made_again(read_again(taken_apart(value)), there, "cpu")
    assert again == value
    assert repr(again) == repr(value)  # the types of all parts


ARRAYS = [
    np.arange(6, dtype=np.uint16).reshape(2, 3),
    np.array(["a", "bcd"]),
    np.array(1.5),
    np.zeros((0, 2), np.float32),
    np.array([1 + 2j]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_come_back(array):
    again = made_again(read_again(taken_apart({"x": array})), MISSING, "cpu")["x"]
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(again, array)
    again[...] = again  # may be written


def test_tensors_come_back():
    learned = torch.ones(2, requires_grad=True)
    tensors = [learned, learned * 2, torch.eye(2).to_sparse(), torch.tensor(1, dtype=torch.int8)]
    again = made_again(read_again(taken_apart(tensors)), MISSING, "cpu")
    assert [tensor.requires_grad for tensor in again] == [True, False, False, False]
    for one, other in zip(tensors, again, strict=True):
        assert torch.equal(one.to_dense(), other.to_dense())
        assert one.dtype == other.dtype


GENERATORS = {
    "torch": (
        lambda: torch.Generator().manual_seed(3),
        lambda g: float(torch.rand(1, generator=g)),
    ),
    "RandomState": (lambda: np.random.RandomState(3), lambda g: g.normal()),
    "Generator": (lambda: np.random.default_rng(3), lambda g: g.random()),
    "Philox": (lambda: np.random.Generator(np.random.Philox(3)), lambda g: g.random()),
    "random": (lambda: random.Random(3), lambda g: g.random()),
}


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(("make", "draw"), GENERATORS.values(), ids=GENERATORS)
def test_generators_go_on(make, draw, there):
    generator, other = make(), make()
    draw(generator)
    again = made_again(read_again(taken_apart(generator)), other if there else MISSING, "cpu")
    assert draw(again) == draw(generator)
    assert (again is other) is there  # others may draw from it too


def test_what_is_equal_stays_the_same_object():
    weight = torch.ones(3)
    there = {"view": weight[:2], "count": 1}
    again = made_again(read_again(taken_apart(there)), there, "cpu")
    assert again is there
    again = made_again(read_again(taken_apart(there | {"count": 2})), there, "cpu")
    assert again == {"view": again["view"], "count": 2}
    assert again["view"] is there["view"]


def test_what_cannot_be_taken_apart_stays_as_it_is():
    value = [np.sin, nn.Linear(1, 1), 5]
    there = [np.cos, nn.Linear(1, 1), 6]
    assert made_again(read_again(taken_apart(value)), there, "cpu") == [*there[:2], 5]
    with pytest.raises(LookupError):
        made_again(read_again(taken_apart(value)), [], "cpu")
    made = made_again(taken_apart(defaultdict(list, a=[1])), defaultdict(list), "cpu")
    assert made == {"a": [1]}
    assert made["b"] == []
    with pytest.raises(LookupError):
        made_again(taken_apart(defaultdict(list)), None, "cpu")
    objects = np.array([None, {}])
    assert made_again(taken_apart(objects), objects, "cpu") is objects


class Odd:
    """No plain value."""

    def __init__(self, n):
        self.n = n


def test_traces_tell_of_other_objects():
    assert trace_of({"a": [Odd(1)]}) == trace_of({"b": [Odd(1)]})
    assert trace_of([Odd(1)]) != trace_of([Odd(2)])
    known = [1, "a", torch.ones(1), nn.Linear(1, 1), np.zeros(1), lambda: 1, Odd]
    assert trace_of(known) == []
    with open(__file__) as file:
        assert trace_of([file]) == []  # cannot be pickled


def test_what_holds_itself_stays_as_it_is():
    value = {"n": 1}
    value["me"] = value
    apart = taken_apart(value)
    assert made_again(apart, value, "cpu") is value
    assert trace_of(value) == []


@pytest.mark.parametrize("value", [torch.device("cpu"), torch.float32, logging.getLogger("x")])
def test_what_tells_nothing_of_a_training_has_no_trace(value):
    assert trace_of([value]) == []
