"""`--use-unlabeled`: pictures without a label are learned from."""

import json

import numpy as np
import pytest
from helpers import trees

import skfer
from skfer.cli import main
from skfer.cli.exit_codes import FAILED
from skfer.embedders import LabeledOnly
from skfer.persistence import load, model_card

QUICK = ("--epochs", "1", "--device", "cpu", "--start", "scratch")


@pytest.fixture(scope="module")
def some_labels(faces_on_disk, tmp_path_factory):
    """A table of forty-eight faces; of three in four persons all but one label is missing."""
    header, *rows = (faces_on_disk / "labels.csv").read_text().splitlines()
    lines = [header]
    for row in rows:
        path, label, person = row.split(",")
        known = int(person[1:]) < 8 or label == "anger"
        lines.append(f"{path},{label if known else 'unlabeled'},{person}")
    table = tmp_path_factory.mktemp("table") / "some.csv"
    table.write_text("\n".join(lines) + "\n")
    return [
        *("--labels", str(table), "--root", str(faces_on_disk), "--image-size", "24"),
        *("--label-column", "emotion", "--file-column", "path", "--group-column", "person"),
    ]


def test_a_table_tells_how_many_were_learned_from(some_labels, tmp_path, capsys):
    numbers, figures = tmp_path / "numbers.json", tmp_path / "figures"
    call = [*some_labels, *QUICK, "--embedders", "pca,gaussian", "--json", str(numbers)]
    assert main(["evaluate", *call, "--use-unlabeled", "--figures", str(figures)]) == 0
    said = capsys.readouterr()
    assert "36 faces of 4 expressions and 12 without a label, 12 subjects" in said.out
    assert "gaussian (and 8 without a label)" in said.out
    assert "left out" not in said.err
    found = json.loads(numbers.read_text())
    assert found["data"]["unlabeled"] == 12
    assert sum(found["data"]["classes"].values()) == 36
    target, person = (np.array(found["faces"][name]) for name in ("target", "groups"))
    learned = {"pca": 0, "gaussian": 0}
    for fit in found["folds"]:
        rows = found["splits"][fit["fold"]]["test_rows"]
        assert (target[rows] >= 0).all()
        others = (target == -1) & ~np.isin(person, person[rows])
        assert fit["n_unlabeled"] == (others.sum() if fit["method"] == "gaussian" else 0)
        learned[fit["method"]] += fit["n_unlabeled"]
    assert learned["gaussian"] == 24
    assert {path.name for path in figures.iterdir()} >= {"confusion-gaussian.png"}


@pytest.mark.parametrize("classifier", ["own", "knn"])
def test_a_model_learns_from_them(some_labels, classifier, tmp_path, capsys):
    path = tmp_path / "model.skfer"
    call = [*some_labels, *QUICK, "--classifier", classifier, "-o", str(path)]
    assert main(["train", *call, "--use-unlabeled"]) == 0
    assert "36 faces of 4 expressions and 12 without a label" in capsys.readouterr().out
    model = load(path)
    assert model.classes_.tolist() == ["anger", "happiness", "neutral", "surprise"]
    embedder = model
    if classifier == "knn":
        embedder = model[0]
        assert isinstance(model[-1], LabeledOnly)
        assert model[-1].estimator_.n_samples_fit_ == 36
    assert isinstance(embedder, skfer.GaussianMetricEmbedder)
    assert (embedder.transduction_ != "").sum() == 48
    assert "Without a label: 12" in model_card(path)


def test_without_it_they_are_left_out(some_labels, tmp_path, capsys):
    assert main(["train", *some_labels, *QUICK, "-o", str(tmp_path / "model.skfer")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("36 faces of 4 expressions, ")
    assert (
        "12 of 48 images have no label: they are left out. (With --use-unlabeled, gaussian learns "
        "from them too.)" in said.err
    )


def test_published_sets_are_asked_for_theirs(tmp_path, capsys):
    sequences = [(f"S{i:03d}", "001", 2, (1, 3, None)[i % 3]) for i in range(1, 19)]
    trees.ck_plus(tmp_path / "own", sequences)
    call = ["--embedders", "gaussian", *QUICK, "--image-size", "16", "--no-align", "--frames", "1"]
    ck_plus = ["evaluate", "--dataset", "ck+", "--protocol", "group-fold", *call, "--use-unlabeled"]
    assert main([*ck_plus, "--root", str(tmp_path / "own")]) == 0
    assert "12 faces of 2 expressions and 6 without a label, 18 subjects" in capsys.readouterr().out
    trees.ck48(
        tmp_path / "other", [("anger", "S010_001_00000003.png"), ("happy", "S011_001_00000003.png")]
    )
    assert main([*ck_plus, "--root", str(tmp_path / "other")]) == FAILED
    told = "--use-unlabeled: this copy is not of the owners' form: it has labeled sequences only."
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            ["train", "--embedder", "cross-entropy", "-o", "model.skfer"],
            "--use-unlabeled belongs to --embedder gaussian, and not to cross-entropy: leave one "
            "out.",
        ),
        (
            ["evaluate", "--embedders", "pca,cross-entropy"],
            "--use-unlabeled belongs to gaussian alone: leave it out, or name that in --embedders.",
        ),
    ],
)
def test_others_refuse_it_before_pictures_are_read(call, told, capsys):
    # There is no such table: it would be told if it had been looked for.
    assert main([*call, "--use-unlabeled", "--labels", "none.csv"]) == FAILED
    assert told in capsys.readouterr().err


def test_it_is_told_where_there_are_none(tmp_path, capsys):
    trees.noise(tmp_path, [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(8)])
    call = ["--dataset", "folder", "--root", str(tmp_path), "--image-size", "16", *QUICK]
    assert main(["train", *call, "--use-unlabeled", "-o", str(tmp_path / "x.skfer")]) == 0
    assert "--use-unlabeled: every image has a label." in capsys.readouterr().err
