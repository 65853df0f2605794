"""Models are saved and loaded while another thread trains: neither waits, nor disturbs it."""

import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import skfer
from skfer.datasets import make_expressions
from skfer.embedders import BaseEmbedder
from skfer.training import seeded

FACES = make_expressions(2, 1, image_size=24, random_state=0)
SMALL = {"embedding_dim": 8, "max_epochs": 1, "random_state": 0}


class Flat(nn.Module):
    """Seeds torch, which makes weights that are alike each time."""

    def __init__(self, shape):
        super().__init__()
        torch.manual_seed(7)
        self.layer = nn.Linear(int(np.prod(shape)), 4)

    def forward(self, x):
        return self.layer(x.flatten(1))


@pytest.fixture(scope="module")
def model():
    return skfer.MultiThresholdEmbedder(**SMALL).fit(FACES.images, FACES.target)


@pytest.fixture
def training():
    """Hold torch's generator as a training in another thread does; return what to draw by it."""
    asked, drawn, ends = threading.Event(), threading.Event(), threading.Event()
    numbers = []

    def train():
        with seeded(0, torch.device("cpu")):
            drawn.set()
            asked.wait(60)
            numbers.append(torch.rand(4))
        ends.set()

    def draw():
        asked.set()
        ends.wait(60)
        return numbers[0]

    with ThreadPoolExecutor(1) as pool:
        pool.submit(train)
        drawn.wait(60)
        yield draw
        asked.set()


def test_nothing_waits_for_a_training(tmp_path, model, training):
    path = tmp_path / "model.skfer"

    def work():
        skfer.save(model, path)
        return skfer.load(path), skfer.load_expression_model()

    with ThreadPoolExecutor(1) as pool:
        loaded, ready = pool.submit(work).result(timeout=60)
    assert torch.equal(training(), torch.rand(4, generator=torch.Generator().manual_seed(0)))
    np.testing.assert_array_equal(loaded.transform(FACES.images), model.transform(FACES.images))
    assert len(ready.predict(FACES.images)) == len(FACES.images)


def test_code_that_seeds_torch_itself_waits(tmp_path, training):
    path = tmp_path / "model.skfer"
    fitted = []

    def work():
        fitted.append(
            skfer.CrossEntropyEmbedder(backbone=Flat, **SMALL).fit(FACES.images, FACES.target)
        )
        skfer.save(fitted[0], path)
        return skfer.load(path, trusted=[Flat])

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        assert torch.equal(training(), torch.rand(4, generator=torch.Generator().manual_seed(0)))
        loaded = done.result(timeout=60)
    np.testing.assert_array_equal(loaded.transform(FACES.images), fitted[0].transform(FACES.images))


def test_what_only_torchs_generator_can_draw_is_drawn_by_it(tmp_path, model, monkeypatch):
    make = BaseEmbedder.make_network
    made = []

    def drawing(self):
        torch.native_dropout(torch.ones(3), 0.5, True)
        made.append(make(self))
        return made[-1]

    monkeypatch.setattr(BaseEmbedder, "make_network", drawing)
    before = torch.random.get_rng_state()
    skfer.save(model, tmp_path / "model.skfer")
    assert len(made) == 1
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.onnx
def test_graphs_are_traced_one_at_a_time(tmp_path, model, monkeypatch):
    """Torch's exporter is for one thread, and the filters of warnings are one for all."""
    trace, inside, most = torch.onnx.export, [], []

    def export(*args, **kwargs):
        inside.append(args)
        time.sleep(0.1)  # for the others to come
        most.append(len(inside))
        trace(*args, **kwargs)
        inside.pop()

    monkeypatch.setattr(torch.onnx, "export", export)
    filters = warnings.filters[:]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda i: skfer.export_onnx(model, tmp_path / f"{i}.onnx"), range(3)))
    assert most == [1, 1, 1]
    assert warnings.filters == filters
