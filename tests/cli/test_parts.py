"""Official parts: what is trained on, tested and told."""

import json

import pytest
from helpers import trees

import skfer
from skfer.cli import main

COUNTS = {"train": (12, 4), "validation": (3, 3), "test": (6, 5)}  # of the two classes
PCA = ("--embedders", "pca", "--quiet")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A table of thirty-three pictures in three parts; the first and last of the test are equal."""
    root = tmp_path_factory.mktemp("parts")
    rows = []
    for part, counts in COUNTS.items():
        for label, n in zip(("fear", "happiness"), counts, strict=True):
            rows += [(f"{part}-{label}-{i}.png", label, part) for i in range(n)]
    for i, (name, _, _) in enumerate(rows):
        trees.picture(root / name, (16, 16), seed=i)
    (root / "test-fear-5.png").write_bytes((root / "test-fear-0.png").read_bytes())
    path = trees.table(root / "labels.csv", ("file", "label", "part"), rows)
    return ["--labels", str(path), "--split-column", "part", "--image-size", "16"]


def _told(sides):
    found = {side: sides[side] for side in ("train", "test")}
    return {side: tuple(counts.values()) for side, counts in found.items()}


def test_the_official_test_part_stays_whole(parts, tmp_path, capsys):
    numbers = tmp_path / "numbers.json"
    call = ["evaluate", *parts, *PCA, "--protocol", "official", "--json", str(numbers)]
    assert main(call) == 0
    said = capsys.readouterr().out.partition("\n")[0]
    assert "official, trained on train (16), tested on test (11), not used: validation (6)" in said
    assert _told(json.loads(numbers.read_text())["splits"][0]) == {
        "train": COUNTS["train"],
        "test": COUNTS["test"],
    }
    assert main([*call, "--max-per-class", "4"]) == 0
    assert "trained on train (8), tested on test (11)" in capsys.readouterr().out
    assert _told(json.loads(numbers.read_text())["splits"][0]) == {
        "train": (4, 4),
        "test": COUNTS["test"],
    }


def test_elsewhere_all_parts_are_counted_together(parts, capsys):
    call = ["evaluate", *parts, *PCA, "--folds", "2", "--max-per-class", "8"]
    assert main(call) == 0
    assert capsys.readouterr().out.startswith("16 faces of 2 expressions, ")


def test_a_report_tells_of_parts_that_were_learned_from(parts, tmp_path, capsys):
    model, page = tmp_path / "model.skfer", tmp_path / "page.html"
    learn = ["train", *parts, "--epochs", "1", "--start", "scratch", "-o", str(model), "--quiet"]
    assert main([*learn, "--subset", "train"]) == 0
    assert "- Parts: train\n" in skfer.model_card(model)
    shown = ["report", str(model), *parts[:-2], "-o", str(page), "--quiet"]
    capsys.readouterr()
    assert main(shown) == 0
    said = capsys.readouterr()
    assert "faces of all parts are reported on (test, train, validation), of which" in said.err
    assert "--subset test validation takes others." in said.err
    assert said.out.startswith("32 faces: ")
    # A published part is scored as it is, as by `skfer evaluate`.
    assert main([*shown, "--subset", "test"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("11 faces: ")
    assert "may have learned" not in said.err
