"""What tells a fit from another one in the name of its checkpoint: settings, state and own code."""

import argparse
import collections
import copy
import enum
import functools
import logging
import os
import pickle
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.digests import key
from pytorch_metric_learning import losses
from skorch.callbacks import Callback
from torch import nn

from skfer import CrossEntropyEmbedder


class Scaled:
    """A loss that is a method."""

    def __init__(self, scale):
        self.scale = scale

    def loss(self, embeddings, labels):
        return self.scale * embeddings.sum()

    def negative(self, embeddings, labels):
        return -self.scale * embeddings.sum()


class Slotted:
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale


class Wrapper:
    """A function with a setting."""

    def __init__(self, function, scale):
        functools.update_wrapper(self, function)
        self.scale = scale


class Holds(nn.Module):
    """A loss with an attribute."""

    def __init__(self, held):
        super().__init__()
        self.held = held


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Settings:
    margin: float = 0.1


def layer(value=0.5, *, trains=True):
    made = nn.Linear(2, 2)
    for parameter in made.parameters():
        nn.init.constant_(parameter, value)
    return made.requires_grad_(trains)


def buffered(value):
    made = Holds(None)
    made.register_buffer("center", torch.full((2,), value), persistent=False)
    return made


def hooked(factor, kind="register_forward_hook"):
    made = nn.Sequential(layer())
    getattr(made[0], kind)(lambda module, given, result=None: factor)
    return made


def tied(value=0.5):
    return nn.Sequential(*[layer(value)] * 2)


def recurrent(value):
    made = nn.GRU(2, 2)
    for parameter in made.parameters():
        nn.init.constant_(parameter, value)
    return made


def times(scale):
    return lambda embeddings: embeddings * scale


PAIRS = {
    "frozen": (layer(), layer(trains=False)),
    "one frozen part": (nn.Sequential(layer()), nn.Sequential(layer(trains=False))),
    "weights": (layer(0.5), layer(0.6)),
    "tied weights": (tied(), nn.Sequential(layer(), layer())),
    "buffer that is not saved": (buffered(1.0), buffered(2.0)),
    "hook": (hooked(1.0), hooked(2.0)),
    "hook before": tuple(hooked(k, "register_forward_pre_hook") for k in (1.0, 2.0)),
    "no hook": (hooked(1.0), nn.Sequential(layer())),
    "recurrent": (recurrent(0.5), recurrent(0.6)),
    "self of a method": (Scaled(1.0).loss, Scaled(2.0).loss),
    "method": (Scaled(1.0).loss, Scaled(1.0).negative),
    "wrapper": (Wrapper(tied, 1.0), Wrapper(tied, 2.0)),
    "wrapped function": (Wrapper(tied, 1.0), Wrapper(hooked, 1.0)),
    "slots": (Slotted(1.0), Slotted(2.0)),
    "generator": (np.random.default_rng(0), np.random.default_rng(1)),
    "generator of torch": (torch.Generator(), torch.Generator().manual_seed(1)),
    "function with a setting": (times(1.0), times(2.0)),
    "partial": (functools.partial(pow, exp=2), functools.partial(pow, exp=3)),
    "member": (Color.RED, Color.BLUE),
    "settings": (Settings(0.1), Settings(0.2)),
    "namespace": (SimpleNamespace(margin=0.1), SimpleNamespace(margin=0.2)),
    "set": ({Color.RED, "a"}, {Color.BLUE, "a"}),
    "queue": (collections.deque([Slotted(1)]), collections.deque([Slotted(2)])),
    "function of torch": (torch.relu, torch.tanh),
    "method of a list": ([1].count, [2].count),
    "sparse": (torch.eye(2).to_sparse(), 2 * torch.eye(2).to_sparse()),
    "half": (torch.ones(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16)),
    "unknown shape": (nn.LazyLinear(3), nn.LazyLinear(4)),
    "library": (losses.ContrastiveLoss(pos_margin=0), losses.ContrastiveLoss(pos_margin=0.1)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("place", [lambda value: value, Holds, lambda value: {"a": [value]}])
def test_settings_and_state_count(pair, place):
    one, other = pair
    assert key(place(one)) != key(place(other))
    assert key(place(one)) == key(copy.deepcopy(place(one)))


@pytest.mark.parametrize("name", sorted({*PAIRS} - {"hook", "hook before", "no hook"}))
def test_pickled_copies_have_the_same_key(name):
    for value in PAIRS[name]:
        try:
            again = pickle.loads(pickle.dumps(value))
        except (AttributeError, pickle.PicklingError):  # a function within another one
            assert name == "function with a setting"
        else:
            assert key(value) == key(again)


class Node:
    """One of many that know each other."""

    def __init__(self, others):
        self.others = others
        self.me = weakref.ref(self)
        self.again = lambda: self.others
        others.append(self)


def test_what_holds_itself_comes_to_an_end():
    nodes = []
    for _ in range(60):
        Node(nodes)
    assert key(nodes) == key(copy.deepcopy(nodes))
    assert key(nodes[0]) != key(Node([]))
    endless = [1]
    endless.append({"a": (endless,)})
    assert key(endless) == key(copy.deepcopy(endless))


class Linked:
    """One of many that know each other, in sets."""

    def __init__(self, number):
        self.number = number
        self.others = set()


def linked(last):
    nodes = [Linked(i) for i in [*range(40), last]]
    for node in nodes:
        node.others.update(nodes)
    return nodes[0]


def test_sets_of_objects_have_no_order():
    assert key(linked(1.5)) == key(linked(1.5)) == key(copy.deepcopy(linked(1.5)))
    assert key(linked(1.5)) != key(linked(2.5))
    assert key({frozenset("abc"), ("a", Color.RED)}) != key({frozenset("abc"), ("a", Color.BLUE)})


def test_parameters_that_share_an_object_have_the_key_of_their_clones():
    distance = Settings()
    shared = {"loss": Scaled(distance), "miner": Scaled(distance)}
    assert key(shared) == key({name: copy.deepcopy(item) for name, item in shared.items()})


CONSTANT = 1.0
LIST = [1.0]
NAMESPACE = SimpleNamespace(margin=0.1)
ARGUMENTS = argparse.Namespace(margin=0.1)
DATACLASS = Settings()
MEMBER = Color.RED
LIBRARY = losses.TripletMarginLoss(margin=0.1)
WEIGHTS = torch.ones(2)
NETWORK = layer()
GENERATOR = np.random.default_rng(0)
METHOD = Scaled(1.0).loss
PARTIAL = functools.partial(pow, exp=2)
ACTIVATION = torch.relu
LATER = None


def helper(embeddings):
    return embeddings


@functools.lru_cache
def cached(value):
    return value + 1


@torch.no_grad()
def without_gradient(value):
    return value + 1


def marked(embeddings):
    return marked.margin


marked.margin = 0.1


class Table:
    margin = 0.1
    settings = Settings()


USES = {
    "constant": (lambda e: CONSTANT, "CONSTANT", 2.0),
    "list": (lambda e: LIST, "LIST", [2.0]),
    "list of objects": (lambda e: LIST, "LIST", [Settings(0.2)]),
    "namespace": (lambda e: NAMESPACE, "NAMESPACE.margin", 0.2),
    "arguments": (lambda e: ARGUMENTS.margin, "ARGUMENTS.margin", 0.2),
    "dataclass": (lambda e: DATACLASS.margin, "DATACLASS.margin", 0.2),
    "member": (lambda e: MEMBER, "MEMBER", Color.BLUE),
    "loss of a library": (lambda e: LIBRARY(e), "LIBRARY.margin", 0.2),
    "tensor": (lambda e: WEIGHTS, "WEIGHTS", torch.zeros(2)),
    "network": (lambda e: NETWORK(e), "NETWORK", layer(0.6)),
    "generator": (lambda e: GENERATOR.random(), "GENERATOR", np.random.default_rng(1)),
    "method": (lambda e: METHOD(e, 1), "METHOD", Scaled(2.0).loss),
    "partial": (lambda e: PARTIAL(e), "PARTIAL", functools.partial(pow, exp=3)),
    "function of a library": (lambda e: ACTIVATION(e), "ACTIVATION", torch.tanh),
    "function": (lambda e: helper(e), "helper", lambda e: -e),
    "function with a cache": (
        lambda e: cached(e),
        "cached",
        functools.lru_cache(lambda value: value + 2),
    ),
    "wrapped function": (
        lambda e: without_gradient(e),
        "without_gradient",
        torch.no_grad()(lambda value: value + 2),
    ),
    "attribute of a function": (marked, "marked.margin", 0.2),
    "value of a class": (lambda e: Table.margin, "Table.margin", 0.2),
    "object of a class": (lambda e: Table.settings, "Table.settings.margin", 0.2),
    "function in a function": (lambda e: [(lambda x: CONSTANT)(x) for x in e], "CONSTANT", 2.0),
}


def change(monkeypatch, place, value):
    monkeypatch.setattr(f"{__name__}.{place}", value)


@pytest.mark.parametrize(("loss", "place", "value"), USES.values(), ids=USES)
def test_what_code_names_counts(monkeypatch, loss, place, value):
    class Own(nn.Module):
        def forward(self, e):
            return loss(e)

    before = [key(item) for item in (loss, Own, Own(), [Scaled, loss])]
    assert before == [key(item) for item in (loss, Own, Own(), [Scaled, loss])]
    change(monkeypatch, place, value)
    after = [key(item) for item in (loss, Own, Own(), [Scaled, loss])]
    assert all(one != other for one, other in zip(before, after, strict=True))


LOG = logging.getLogger(__name__)
LOCK = threading.Lock()
ENVIRONMENT = os.environ


class Tracker:
    def __init__(self):
        self.lock = threading.Lock()
        self.writer = open(os.devnull)  # noqa: SIM115 (closed by the test)


TRACKER = Tracker()
TRACKER.writer.close()


def logs(embeddings):
    LOG.info(__name__, ENVIRONMENT)
    with LOCK, TRACKER.lock:
        return embeddings.LATER


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("LOG", logging.getLogger("another")),
        ("LOCK", threading.Lock()),
        ("TRACKER", Tracker()),
        ("__name__", "__main__"),
        ("LATER", 3),  # it is an attribute of something else that has this name
    ],
)
def test_what_differs_in_every_process_does_not_count(monkeypatch, place, value):
    before = key(logs)
    monkeypatch.setitem(globals(), place, value)
    assert key(logs) == before
    monkeypatch.setenv("SOME_VARIABLE", "changed")
    assert key(logs) == before
    getattr(value, "writer", TRACKER.writer).close()


def watching(factor=1.0, seen=()):
    class Watching(Callback):
        def on_epoch_end(self, net, **kwargs):
            nonlocal n_calls
            n_calls += 1
            seen.append(CONSTANT * factor + helper(net) + Table.margin + len(LIST))

    n_calls = len(seen)
    return Watching()


@pytest.mark.parametrize(
    ("place", "value", "counts"),
    [
        ("CONSTANT", 2.0, True),
        ("CONSTANT", ("a", 2), True),
        ("helper", lambda embeddings: -embeddings, True),
        ("Table.margin", 0.2, True),
        ("LIST", [1.0, 2.0], False),  # it may be what a callback collects
        ("Table.settings", Settings(0.2), False),
    ],
)
def test_of_callbacks_constants_and_functions_count(monkeypatch, place, value, counts):
    before = key([watching()])
    change(monkeypatch, place, value)
    assert (key([watching()]) != before) == counts


def test_what_callbacks_collect_does_not_count():
    assert key(watching(2.0)) != key(watching(1.0))
    assert key(watching(seen=[1])) == key(watching(seen=[]))
    callback = watching()
    before = key(callback)
    callback.n_epochs = 3
    type(callback).collected = [1]
    assert key(callback) == before


def test_code_in_a_callback_and_elsewhere_is_taken_in_twice(monkeypatch):
    """Of what a loss uses more counts than of what a callback does."""

    def shared(e):
        return LIST[0]

    class Watching(Callback):
        def on_epoch_end(self, net, **kwargs):
            shared(net)

    before = key([Watching(), shared])
    monkeypatch.setitem(globals(), "LIST", [2.0])
    assert key([Watching(), shared]) != before


def test_hooks_are_not_told_by_their_numbers():
    """Those of a lazy layer are removed when its shape is known."""
    before = key(nn.LazyLinear(3))
    nn.Linear(1, 1).register_forward_hook(print)
    assert key(nn.LazyLinear(3)) == before


def all_keys():
    things = [value for pair in PAIRS.values() for value in pair] + [linked(1.5)]
    codes = [code for code, _, _ in USES.values()]
    return [key(thing) for thing in [*things, *codes, logs, watching()]]


def test_keys_are_the_same_in_every_process():
    code = f"import sys; sys.path += {sys.path!r}\n"
    code += "import test_digests as t; kept = [object()] * 9999; print(t.all_keys())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    ).stdout
    assert told.strip() == str(all_keys())


def test_a_fit_is_not_taken_from_another_one(rows, tmp_path):
    X, y = rows
    backbones = [nn.Sequential(nn.Linear(X.shape[1], 4), nn.ReLU()).requires_grad_(False)]
    backbones.append(copy.deepcopy(backbones[0]).requires_grad_(True))
    given = {"embedding_dim": 4, "max_epochs": 1, "random_state": 0}
    embeddings = [
        CrossEntropyEmbedder(backbone=backbone, checkpoint=folder, **given).fit_transform(X, y)
        for folder in (None, tmp_path)
        for backbone in backbones
    ]
    np.testing.assert_array_equal(embeddings[:2], embeddings[2:])
    assert len(list(tmp_path.iterdir())) == 2


def test_code_that_is_hashed_is_not_run(tmp_path, monkeypatch):
    """A module that a function may import counts by its source, and is not imported for that."""
    (tmp_path / "ends_at_once.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)

    def loss(embeddings, labels):
        if labels is None:
            import ends_at_once  # noqa: F401
        return embeddings.mean()

    before = key(loss)
    assert "ends_at_once" not in sys.modules
    (tmp_path / "ends_at_once.py").write_text("import sys\nsys.exit(4)\n")
    assert key(loss) != before
