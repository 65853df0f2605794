"""The ready classifier: taught, calibrated and scored on persons apart."""

import numpy as np
import pytest

from skfer.datasets import make_expressions
from skfer.nets import expression_network
from skfer.pretraining import Recipe, make_ready, make_start
from skfer.pretraining import _ready as ready_file

SMALL = Recipe(persons=3, epochs=1, width=8, batch_size=16)


@pytest.fixture
def real():
    faces = make_expressions(12, 2, classes=["happiness", "neutral", "surprise"], random_state=0)
    faces.DESCR = "Faces that stand for real ones."
    return faces


def test_writes_a_classifier_and_its_card(tmp_path, real, monkeypatch):
    monkeypatch.setattr(ready_file, "_STEPS", 4)
    start = make_start(tmp_path, SMALL)
    path = make_ready(start, SMALL, real)
    network = expression_network(weights=path)
    assert network.temperature > 0
    assert len(network.classes) == 8
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "72 real faces of 12 persons" in card
    assert "happiness, neutral, surprise" in card
    assert "Faces that stand for real ones." in card


def test_choosing_persons_are_a_half_and_stay_whole():
    groups = np.repeat([f"person {i}" for i in range(200)], 3)
    chosen = ready_file.choosing_persons(groups)
    assert 0.35 < chosen.mean() < 0.65
    assert (chosen.reshape(200, 3).std(axis=1) == 0).all()
    np.testing.assert_array_equal(chosen[:30], ready_file.choosing_persons(groups[:30]))
