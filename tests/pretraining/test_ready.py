"""The ready classifier: taught, calibrated and scored on persons apart."""

import numpy as np
import pytest

from skfer.datasets import make_expressions
from skfer.nets import EXPRESSIONS_FILE, expression_network
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
    unseen = "**It has learned anger, contempt, disgust, fear, sadness from drawn faces alone**"
    assert card.count(f"\n\n{unseen}, since no real") == 1


def test_the_card_that_comes_along_tells_what_no_real_face_has_taught():
    told = ready_file._UNSEEN.format("contempt, disgust, fear")
    assert told in EXPRESSIONS_FILE.with_suffix(".md").read_text(encoding="utf-8")


def test_a_run_that_was_cut_off_teaches_what_is_left(tmp_path, real, monkeypatch):
    """It ends at the same bytes, and what was taught is not taught again."""
    monkeypatch.setattr(ready_file, "_STEPS", 3)
    start = make_start(tmp_path / "whole", SMALL)
    whole = make_ready(start, SMALL, real).read_bytes()
    teach, taught = ready_file._teach, []

    def cut_off(*given):
        if len(taught) == 2:
            raise KeyboardInterrupt
        taught.append(given)
        teach(*given)

    again = make_start(tmp_path / "cut", SMALL)
    monkeypatch.setattr(ready_file, "_teach", cut_off)
    with pytest.raises(KeyboardInterrupt):
        make_ready(again, SMALL, real)
    assert len(list((tmp_path / "cut" / "work").glob("taught-*.pt"))) == 2
    assert not (tmp_path / "cut" / "face_expressions.safetensors").exists()
    taught.clear()
    assert make_ready(again, SMALL, real).read_bytes() == whole
    assert len(taught) == 2  # a third fold, and all
    real.target = np.roll(real.target, 1)  # others are taught anew
    with pytest.raises(KeyboardInterrupt):
        make_ready(again, SMALL, real)


def test_choosing_persons_are_a_half_and_stay_whole():
    groups = np.repeat([f"person {i}" for i in range(200)], 3)
    chosen = ready_file.choosing_persons(groups)
    assert 0.35 < chosen.mean() < 0.65
    assert (chosen.reshape(200, 3).std(axis=1) == 0).all()
    np.testing.assert_array_equal(chosen[:30], ready_file.choosing_persons(groups[:30]))
