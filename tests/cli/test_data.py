"""What the commands do with data as people have it: copies, missing labels, files elsewhere."""

import json
import shutil

import numpy as np
import pytest
from helpers import trees
from PIL import Image

import skfer
from skfer.cli import main
from skfer.cli.exit_codes import FAILED
from skfer.datasets import make_expressions

QUICK = ["--image-size", "16", "--epochs", "1", "--quiet"]
COLUMNS = ["--label-column", "emotion", "--group-column", "person"]


@pytest.fixture
def table(tmp_path):
    """A table of twelve faces, of which one is there twice, and one copy has no label."""
    faces = make_expressions(6, 1, image_size=24, classes=["anger", "happiness"], random_state=0)
    lines = ["file,emotion,person"]
    for i, (image, code) in enumerate(zip(faces.images, faces.target, strict=True)):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
        lines.append(f"{i:02d}.png,{faces.target_names[code]},p{i // 2}")
    shutil.copy(tmp_path / "00.png", tmp_path / "copy.png")
    shutil.copy(tmp_path / "01.png", tmp_path / "nameless.png")
    lines += [lines[1].replace("00.png", "copy.png"), "nameless.png,,p9"]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def evaluate(table, *words):
    call = ["evaluate", "--labels", str(table), *COLUMNS, "--embedders", "pca", "--folds", "2"]
    return main([*call, "--image-size", "16", "--quiet", *words])


def test_numbered_classes_and_official_parts(tmp_path, capsys):
    rows = []
    for i in range(12):
        trees.picture(tmp_path / f"{i}.png", (16, 16), seed=i)
        rows.append((f"{i}.png", 1 + i % 2, "train" if i < 8 else "test"))
    path = trees.table(tmp_path / "t.csv", ("file", "label", "part"), rows)
    data = ["--labels", str(path), "--class-names", "1=surprise", "2=fear", "--image-size", "16"]
    data += ["--split-column", "part", "--quiet"]
    evaluated = ["evaluate", *data, "--embedders", "pca"]
    assert main([*evaluated, "--protocol", "official"]) == 0
    assert "official" in capsys.readouterr().out
    assert main(evaluated) == 0
    said = capsys.readouterr()
    assert "the parts test, train are taken together" in said.err
    assert said.out.startswith("12 faces of 2 expressions")
    assert main([*evaluated, "--subset", "train"]) == 0
    assert "8 faces of 2 expressions" in capsys.readouterr().out
    train = ["train", *data, "--epochs", "1", "--start", "scratch", "-o", str(tmp_path / "x.skfer")]
    assert main(train) == 0
    assert "all parts are learned from (test, train): --subset train" in capsys.readouterr().err
    assert main([*train, "--subset", "train"]) == 0
    assert "warning" not in capsys.readouterr().err
    model = skfer.load(tmp_path / "x.skfer")
    assert model.class_count_.tolist() == [4, 4]
    assert model.classes_.tolist() == ["fear", "surprise"]


def test_names_of_classes_are_pairs(table, capsys):
    with pytest.raises(SystemExit):
        evaluate(table, "--class-names", "1:fear")
    assert "give OLD=NEW, such as 1=surprise, not '1:fear'" in capsys.readouterr().err


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_copies_are_dropped_and_told(table, tmp_path, capsys):
    numbers = tmp_path / "numbers.json"
    assert evaluate(table, "--json", str(numbers)) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("12 faces of 2 expressions")
    assert (
        "identical images, of which later copies are left out (2): copy.png is 00.png;"
        in captured.err
    )
    assert "1 of 14 rows have no label" in captured.err
    pairs = json.loads(numbers.read_text())["duplicates"]
    assert pairs == [["00.png", "copy.png"], ["01.png", "nameless.png"]]


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_copies_are_kept_or_refused(table, capsys):
    assert evaluate(table, "--duplicates", "keep") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("13 faces of 2 expressions")
    assert "identical images, of which later copies are kept (2)" in captured.err
    assert evaluate(table, "--duplicates", "refuse") == FAILED
    said = capsys.readouterr().err
    assert "refuses 2 pairs of identical images" in said
    assert "--duplicates" in said
    assert "00.png (anger) and copy.png (anger)" in said


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_copies_of_two_classes_are_refused(table, capsys):
    text = table.read_text().splitlines()
    text[13] = text[13].replace("anger", "happiness")
    table.write_text("\n".join(text) + "\n")
    assert evaluate(table) == FAILED
    assert "copy.png" in capsys.readouterr().err


def test_a_table_without_its_files(table, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "labels.csv"
    moved.write_text("\n".join(table.read_text().splitlines()[:13]) + "\n")
    assert evaluate(moved) == FAILED
    said = capsys.readouterr().err
    assert said == (
        f"skfer: error: --labels {moved}: of the 12 files that it names none is in its folder: "
        "give --root DIR, the folder that the names start from.\n"
    )


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_a_table_that_lacks_one_of_its_files(table, capsys):
    """One that is missing does not say that all are."""
    with table.open("a") as file:
        file.write("gone.png,anger,S99\n")
    assert evaluate(table) == FAILED
    said = capsys.readouterr().err
    assert "1 of 15 " in said
    assert "(gone.png): no such file" in said
    assert "--root" not in said


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_train_from_noise_and_a_report(table, tmp_path, capsys, monkeypatch):
    def report(model, faces, page):
        page.write_text(f"{len(faces.images)} of {faces.images.shape[1:]}: {model.classes_}")
        return page

    monkeypatch.setattr("skfer.cli._report.report", report)
    path, page = tmp_path / "x.skfer", tmp_path / "report.html"
    data = ["--labels", str(table), *COLUMNS]
    assert main(["train", *data, *QUICK, "--start", "scratch", "-o", str(path)]) == 0
    assert "identical images, of which later copies are left out (2)" in capsys.readouterr().err
    model = skfer.load(path)
    assert model.backbone == "scratch"
    assert model.class_count_.tolist() == [6, 6]
    assert main(["report", str(path), *data, "-o", str(page), "--quiet"]) == 0
    first, scores = capsys.readouterr().out.splitlines()
    assert first == f"12 faces: {page}"
    assert scores.startswith("accuracy ")
    assert page.read_text() == "12 of (16, 16): ['anger' 'happiness']"


def test_a_picture_that_cannot_be_decoded_is_found(tmp_path, capsys):
    for name in ("happy", "sad"):
        (tmp_path / name).mkdir()
        noise = np.random.RandomState(len(name)).randint(0, 255, (24, 24)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / name / "x.png")
    whole = (tmp_path / "sad" / "x.png").read_bytes()
    (tmp_path / "sad" / "half.png").write_bytes(whole[: len(whole) // 2])
    call = ["datasets", "check", "folder", str(tmp_path)]
    assert main(call) == 0
    capsys.readouterr()
    assert main([*call, "--decode"]) == 1
    assert "sad/half.png" in capsys.readouterr().out
