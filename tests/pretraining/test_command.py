"""python -m skfer.pretraining."""

import csv
import sys

import pytest
from PIL import Image

from skfer.datasets import make_expressions
from skfer.nets import expression_network
from skfer.pretraining import __main__ as command
from skfer.pretraining import _ready as ready_file


def write_real_faces(folder):
    """24 happy, 24 neutral and 6 surprised faces of 12 persons, as the command wants them."""
    faces = make_expressions(
        12,
        2,
        classes=["happiness", "neutral", "surprise"],
        proportions={"surprise": 0.25},
        image_size=32,
        random_state=0,
    )
    (folder / "images").mkdir(parents=True)
    (folder / "README.md").write_text("Faces that stand for real ones.", encoding="utf-8")
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "expression", "person"])
        for i, (image, code) in enumerate(zip(faces.images, faces.target, strict=True)):
            Image.fromarray(image).save(folder / "images" / f"{i}.png")
            table.writerow([f"{i}.png", faces.target_names[code], f"person {faces.groups[i]}"])


def test_a_start_and_a_classifier_from_frequent_classes(tmp_path, monkeypatch, capsys):
    write_real_faces(tmp_path / "real")
    monkeypatch.setattr(command, "_ENOUGH", 20)
    monkeypatch.setattr(ready_file, "_STEPS", 4)
    recipe = "--persons 3 --epochs 1 --width 8 --batch-size 16"
    call = f"pretraining {tmp_path / 'out'} --real {tmp_path / 'real'} --name small {recipe}"
    monkeypatch.setattr(sys, "argv", call.split())
    assert command.main() == 0
    start, ready = capsys.readouterr().out.split()
    assert start == str(tmp_path / "out" / "small.safetensors")
    assert len(expression_network(weights=ready).classes) == 8
    card = (tmp_path / "out" / "face_expressions.md").read_text(encoding="utf-8")
    assert "48 real faces of 12 persons" in card
    assert "3 persons, each 1 times" in (tmp_path / "out" / "small.md").read_text(encoding="utf-8")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """A call that is told what is wrong; returns it."""

    def call(arguments):
        monkeypatch.setattr(sys, "argv", f"pretraining {tmp_path / 'out'} {arguments}".split())
        with pytest.raises(SystemExit) as stop:
            command.main()
        assert stop.value.code == 2
        return capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--real /nope", "labels.csv' does not exist"),
        ("--persons 0", "persons must be a whole number of at least 1, got 0"),
        ("--device nowhere", "device"),
        ("--seed -1", "seed must be a whole number"),
        ("--n-jobs 0", "n_jobs must not be 0"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(arguments, told, tmp_path, refused):
    assert told in refused(arguments)
    assert not (tmp_path / "out").exists()


def without_description(folder):
    (folder / "README.md").unlink()


def with_other_labels(folder):
    table = folder / "labels.csv"
    named = table.read_text(encoding="utf-8").replace("neutral", "frown")
    table.write_text(named, encoding="utf-8")


REAL_FACES = {
    "no description": (without_description, 20, "README.md"),
    "other labels": (with_other_labels, 20, "has the labels ['frown'], which are none of"),
    "too few": (lambda folder: None, 100, "has 0 classes of at least 100 faces"),
}


@pytest.mark.parametrize(("spoil", "enough", "told"), REAL_FACES.values(), ids=REAL_FACES)
def test_real_faces_that_do_not_serve(spoil, enough, told, tmp_path, monkeypatch, refused):
    write_real_faces(tmp_path / "real")
    spoil(tmp_path / "real")
    monkeypatch.setattr(command, "_ENOUGH", enough)
    assert told in refused(f"--real {tmp_path / 'real'}")
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder(tmp_path, refused):
    (tmp_path / "out").write_text("kept", encoding="utf-8")
    assert "must be a folder" in refused("")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "kept"
