"""The recipe: the same from the same seed, and going on where it was cut off."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from skfer.exceptions import ArgumentError
from skfer.nets import face_backbone, load_start
from skfer.pretraining import Recipe, make_start
from skfer.pretraining import _recipe as recipe_file

SMALL = Recipe(persons=3, epochs=2, width=8, batch_size=16)


def test_one_seed_one_file(tmp_path):
    paths = [make_start(tmp_path / name, SMALL, n_jobs=n) for name, n in {"a": 1, "b": 2}.items()]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    other = make_start(tmp_path / "c", Recipe(persons=3, epochs=2, width=8, batch_size=16, seed=1))
    assert other.read_bytes() != paths[0].read_bytes()


def test_file_loads_as_a_backbone_and_has_a_card(tmp_path):
    path = make_start(tmp_path, SMALL)
    features = face_backbone(weights=path).eval()(torch.zeros(1, 1, 48, 48))
    assert features.shape == (1, 28, 6, 6)
    assert load_start(path)[1]["width"] == 8
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "3 persons, each 2 times" in card
    assert "sha256" in card


def test_a_run_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    whole = make_start(tmp_path / "whole", SMALL)
    learn = recipe_file._Learner.learn

    def cut_off(self, verbose):
        if self.epoch == 1:
            raise KeyboardInterrupt
        learn(self, verbose)

    monkeypatch.setattr(recipe_file._Learner, "learn", cut_off)
    try:
        make_start(tmp_path / "part", SMALL)
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("nothing was cut off")
    counted = []

    def count(self, verbose):
        counted.append(self.epoch)
        learn(self, verbose)

    monkeypatch.setattr(recipe_file._Learner, "learn", count)
    again = make_start(tmp_path / "part", SMALL)
    assert counted == [1]
    np.testing.assert_array_equal(
        np.frombuffer(again.read_bytes(), np.uint8), np.frombuffer(whole.read_bytes(), np.uint8)
    )


@pytest.mark.parametrize("name", ["persons", "epochs", "width", "batch_size"])
def test_a_recipe_of_nothing_is_refused_before_anything_is_drawn(tmp_path, name):
    with pytest.raises(ArgumentError, match=f"^{name} must be"):
        make_start(tmp_path, replace(SMALL, **{name: 0}))
    with pytest.raises(ArgumentError, match=r"^device must be a device of torch.*'gpu'"):
        make_start(tmp_path, SMALL, device="gpu")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "value"),
    [("lr", 0.0), ("lr", float("nan")), ("smoothing", 7.0), ("average", 2.0), ("image_size", 8)],
)
def test_numbers_that_spoil_a_run_are_refused_before_it(tmp_path, field, value):
    with pytest.raises(ArgumentError, match=f"^{field} must be"):
        make_start(tmp_path, replace(SMALL, **{field: value}))
    with pytest.raises(ArgumentError, match=r"^name must be"):
        make_start(tmp_path, SMALL, name="a/b")
    assert not any(tmp_path.iterdir())


def test_two_starts_in_one_folder_go_on_each(tmp_path, monkeypatch):
    large = replace(SMALL, width=12)
    make_start(tmp_path, SMALL)
    make_start(tmp_path, large, name="face_start_large")
    learned = []
    learn = recipe_file._Learner.learn
    monkeypatch.setattr(
        recipe_file._Learner, "learn", lambda self, verbose: learned.append(learn(self, verbose))
    )
    make_start(tmp_path, SMALL)
    make_start(tmp_path, large, name="face_start_large")
    assert not learned


def test_the_callers_generator_and_modes_have_no_part(tmp_path):
    plain = make_start(tmp_path / "plain", SMALL).read_bytes()
    state = torch.manual_seed(3).get_state()
    with torch.device("meta"):
        odd = make_start(tmp_path / "odd", SMALL).read_bytes()
    assert odd == plain
    assert torch.equal(torch.random.get_rng_state(), state)
