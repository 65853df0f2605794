"""A file of fits: nothing is computed twice, nothing is lost, nothing is mistaken."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from skfer import MetricLossEmbedder, MultiThresholdEmbedder
from skfer.evaluation import Fit, _finished_fits, compare
from skfer.evaluation._finished_fits import ResultsFile, _digest_inputs, describe, make_keys
from skfer.evaluation._fits import Task
from skfer.exceptions import ArgumentError
from skfer.preprocessing import FaceAligner, YuNetDetector

X = np.random.RandomState(0).rand(24, 3)
Y = np.arange(24) % 2
HALF = np.arange(12)
SPLITS = [(HALF, HALF + 12), (HALF + 12, HALF)]
FIT = Fit("mine", 0, 1, {"accuracy": 0.5, "nmi": None}, [0, 1], 1.0, 2.0, 3, 4, ("told",), [[0, 1]])


class Counting(TransformerMixin, BaseEstimator):
    """Counts its fits in a file."""

    def __init__(self, path, scale=1.0, random_state=None):
        self.path = path
        self.scale = scale
        self.random_state = random_state

    def fit(self, X, y):
        with open(self.path, "a") as file:
            file.write(".")
        return self

    def transform(self, X):
        return X * self.scale


def _n_fits(tmp_path, scale=1.0, name="mine", **changes):
    """How many fits a comparison does that may have been done before."""
    count = tmp_path / "count"
    count.write_text("")
    options = {"seeds": [0, 1], "results": tmp_path / "fits.jsonl"} | changes
    given = {"X": X, "y": Y, "splits": SPLITS} | {
        key: options.pop(key) for key in ("X", "y", "splits") if key in options
    }
    fits = list(compare({name: Counting(count, scale)}, **given, **options))
    seeds = options["seeds"]
    assert len(fits) == len(given["splits"]) * len(seeds)
    assert {fit.method for fit in fits} == {name}
    return len(count.read_text())


def test_nothing_is_computed_twice(tmp_path):
    assert _n_fits(tmp_path) == 4
    assert _n_fits(tmp_path) == 0
    assert _n_fits(tmp_path, seeds=[0, 1, 2]) == 2
    assert _n_fits(tmp_path, name="yours") == 0  # by another name
    assert len((tmp_path / "fits.jsonl").read_text().splitlines()) == 6


@pytest.mark.parametrize("kind", [str, bytes, object])
def test_pictures_that_are_edited_are_computed_anew(tmp_path, kind):
    paths = [str(tmp_path / f"{i}.png") for i in range(len(Y))]
    for path in paths:
        Path(path).write_text("a picture")
    given = list(map(Path, paths)) if kind is object else paths
    X = np.array(given, dtype=kind)
    keys = [_key(Counting(""), X) for _ in range(2)]
    Path(paths[3]).write_text("another picture")
    keys += [_key(Counting(""), X) for _ in range(2)]
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_what_only_looks_like_paths():
    texts = np.array([["a", "b\0c"], [None, 3.5]], dtype=object)
    assert _digest_inputs(texts) == _digest_inputs(texts.copy())
    assert _digest_inputs(texts) != _digest_inputs(texts.T)
    assert _digest_inputs(texts) != _digest_inputs(texts.ravel())


CHANGES = {
    "data": {"X": X + 1},
    "labels": {"y": 1 - Y},
    "groups": {"groups": np.arange(24)},
    "classifier": {"classifier": "svm"},
    "folds": {"splits": [SPLITS[0], (HALF + 12, HALF[:-1])]},
}


@pytest.mark.parametrize(("change", "n"), [(c, 2 if c == "folds" else 4) for c in CHANGES])
def test_what_changes_is_computed_anew(tmp_path, change, n):
    _n_fits(tmp_path)
    assert _n_fits(tmp_path, **CHANGES[change]) == n
    assert _n_fits(tmp_path) == 0


def test_parameters_are_part_of_the_key(tmp_path):
    assert _n_fits(tmp_path) == 4
    assert _n_fits(tmp_path, scale=2.0) == 4


def _key(embedder, X=X):
    task = Task("mine", embedder, KNeighborsClassifier(), 0, 0, HALF, HALF + 12)
    return make_keys(X, Y, None)(task)


def test_keys_of_modules_are_of_their_weights():
    def network(weight):
        layer = nn.Linear(1, 1)
        nn.init.constant_(layer.weight, weight)
        nn.init.zeros_(layer.bias)
        return MultiThresholdEmbedder(backbone=layer)

    assert _key(network(1.0)) == _key(network(1.0)) != _key(network(2.0))
    by_function = [_key(MultiThresholdEmbedder(backbone=f)) for f in (nn.Linear, nn.Flatten)]
    assert by_function[0] != by_function[1]


def _times(k):
    return lambda embeddings, labels: k * embeddings.sum()


LOSSES = [
    nn.TripletMarginLoss(margin=0.2),  # whose repr tells no margin
    nn.TripletMarginLoss(margin=0.5),
    nn.Sequential(nn.TripletMarginLoss(margin=0.2)),
    lambda embeddings, labels: embeddings.mean(),
    lambda embeddings, labels: embeddings.sum(),
    lambda embeddings, labels: sum(embeddings.sum() * i for i in (1, 2)),
    lambda embeddings, labels: sum(embeddings.sum() * i for i in (1, 3)),
    *[lambda embeddings, labels, k=k: k * embeddings.sum() for k in (1, 2)],
    *map(_times, (1, 2)),
    partial(pow, exp=2),
    partial(pow, exp=3),
    pow,
]


def test_losses_are_told_apart_by_all_that_they_are():
    texts = [describe(loss) for loss in LOSSES]
    assert len(set(texts)) == len(texts)
    assert [describe(copy.deepcopy(loss)) for loss in LOSSES] == texts


OWN = """
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone

FACTOR = 1.0

def helper(embeddings):
    return embeddings.square()

class Loss(torch.nn.Module):
    def forward(self, embeddings, labels):
        return helper(embeddings).mean() * FACTOR

def function(embeddings, labels, *, scale=1):
    return helper(embeddings).mean() * FACTOR

class Scaled:
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, embeddings, labels):
        return helper(embeddings).mean() * self.scale * FACTOR

    def loss(self, embeddings, labels):
        return self(embeddings, labels)

class Embedder(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def transform(self, X):
        return helper(X) * FACTOR

def ways():
    made = Loss()
    made.generator, made.other = torch.Generator(), Scaled(1)
    return [Loss, made, function, Scaled(1.0), Scaled(1.0).loss, Embedder()]
"""


def _own(before="", after=""):
    module = ModuleType("own_losses")
    exec(OWN.replace(before, after) if before else OWN, module.__dict__)
    return module


@pytest.mark.parametrize(
    ("before", "after", "n_same"),
    [
        ("", "", 6),
        ("FACTOR = 1.0", "FACTOR = 2.0", 0),
        ("embeddings.square", "embeddings.abs", 0),
        ("mean() * FACTOR\n", "mean() / FACTOR\n", 3),
        ("scale=1", "scale=2", 5),
        ("Scaled(1.0)", "Scaled(2.0)", 4),
    ],
)
def test_code_and_objects_of_ones_own_count(before, after, n_same):
    texts = [list(map(describe, _own(*edit).ways())) for edit in (("", ""), (before, after))]
    assert sum(one == other for one, other in zip(*texts, strict=True)) == n_same


def test_a_file_of_weights_counts(tmp_path):
    file = tmp_path / "weights"
    texts = []
    for content in ("a", "bb"):
        file.write_text(content)
        for name in (file, str(file)):
            model = MultiThresholdEmbedder(backbone="timm/cnn", backbone_weights=name)
            aligner = FaceAligner(detector=YuNetDetector(name))
            texts.append([describe(model), describe(aligner)])
            assert texts[-1] == [describe(clone(model)), describe(clone(aligner))]
    assert not set(texts[0] + texts[1]) & set(texts[2] + texts[3])


def test_frozen_weights_count():
    layers = [nn.Linear(1, 1)]
    layers.append(copy.deepcopy(layers[0]).requires_grad_(False))
    keys = [_key(MultiThresholdEmbedder(backbone=layer)) for layer in layers]
    assert keys[0] != keys[1]


def test_plain_parameters_are_described_by_their_text():
    """So fits of earlier versions are found again."""
    model = KNeighborsClassifier(3, weights="distance", metric_params={"b": None, "a": (1, 2.5)})
    parameters = {"metric_params": "{'a': \"['1', '2.5']\", 'b': 'None'}", "n_neighbors": "3"}
    text = describe(model)
    assert text.startswith("sklearn.neighbors._classification.KNeighborsClassifier({")
    assert all(f"{name!r}: {told!r}" in text for name, told in parameters.items())


def test_an_edited_loss_is_computed_anew(tmp_path):
    embedder = MetricLossEmbedder(_own().Loss, embedding_dim=2, max_epochs=1, random_state=0)
    edited = _own("square", "abs").Loss
    lines = []
    for loss in (_own().Loss, _own().Loss, edited):
        list(
            compare({"mine": embedder.set_params(loss=loss)}, X, Y, SPLITS, results=tmp_path / "x")
        )
        lines.append(len((tmp_path / "x").read_text().splitlines()))
    assert lines == [2, 2, 4]


def test_fits_come_back_as_they_were(tmp_path):
    ResultsFile(tmp_path / "x").add("key", FIT)
    assert ResultsFile(tmp_path / "x").get("key") == FIT
    assert ResultsFile(tmp_path / "x").get("other") is None


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_an_unfinished_line_is_passed_over(tmp_path, cut):
    path = tmp_path / "x"
    for key in ("a", "b"):
        ResultsFile(path).add(key, FIT)
    path.write_bytes(path.read_bytes()[:-cut])
    store = ResultsFile(path)
    assert (store.get("a"), store.get("b")) == (FIT, FIT if cut == 1 else None)
    store.add("c", replace(FIT, fold=7))
    after = ResultsFile(path)
    assert after.get("a") == FIT
    assert after.get("c").fold == 7


@pytest.mark.parametrize("content", ["a table", "[1, 2]", json.dumps({"key": "k", "method": "m"})])
def test_another_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=r"results='.*x\.json' is no file of fits"):
        list(compare({}, X, Y, SPLITS, results=path))
    assert path.read_text() == content


def test_another_file_is_refused_where_compare_is_called(tmp_path):
    (tmp_path / "x").write_text("a table")
    with pytest.raises(ArgumentError, match="is no file of fits"):
        compare({}, X, Y, SPLITS, results=tmp_path / "x")


def test_what_is_done_before_the_first_fit_is_asked_for_is_not_done_again(tmp_path):
    """Two comparisons that are made first, and run one after the other."""
    count, given = tmp_path / "count", {"X": X, "y": Y, "splits": SPLITS, "results": tmp_path / "x"}
    count.write_text("")
    first, second = (compare({name: Counting(count)}, **given) for name in "ab")
    assert not (tmp_path / "x").exists()
    assert len(list(first)) == len(list(second)) == len(count.read_text()) == len(SPLITS)


def _write(path, number):
    store = ResultsFile(path)
    for i in range(50):
        store.add(f"{number}-{i}", replace(FIT, seed=number, fold=i))


def test_four_writers_at_a_time(tmp_path):
    path = tmp_path / "x"
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(partial(_write, path), range(4)))
    store = ResultsFile(path)
    assert all(store.get(f"{n}-{i}").fold == i for n in range(4) for i in range(50))
    # A writer that meets a line half written begins with a new one: an empty line is passed over.
    assert len([line for line in path.read_text().splitlines() if line]) == 200


def test_a_fit_that_cannot_be_written_is_not_lost(tmp_path, monkeypatch):
    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_finished_fits.os, "write", full)
    path = tmp_path / "x"
    fits = compare({"mine": Counting(tmp_path / "count")}, X, Y, SPLITS, results=path)
    assert next(fits).fold == 0
    with pytest.raises(OSError, match="No space left") as caught:
        next(fits)
    assert caught.value.filename == str(path)
