"""`skfer evaluate`: its table, its numbers, its bars."""

import json
import sys

import numpy as np
import pytest
from helpers.calls import QUICK, SHORT, table_call

from skfer import __version__
from skfer.cli import main
from skfer.cli._evaluate import data_record, split_record
from skfer.datasets import make_expressions
from skfer.evaluation import METHODS, prepare


def test_evaluate_prints_a_table_and_writes_json(tmp_path, capsys):
    path = tmp_path / "numbers.json"
    assert main(["evaluate", *QUICK, "--image-size", "24", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "48 faces of 8 expressions" in out
    assert "group-fold, 2 folds; classifier: knn" in out
    for method in METHODS:
        assert sum(line.startswith(method) for line in out.splitlines()) == 1
    record = json.loads(path.read_text())
    assert [row["method"] for row in record["summary"]] == list(METHODS)
    assert len(record["folds"]) == 10
    assert record["settings"]["seed"] == 0
    assert not list(tmp_path.glob("*.part"))
    mine = [f["accuracy"] for f in record["folds"] if f["method"] == "gaussian"]
    row = next(r for r in record["summary"] if r["method"] == "gaussian")
    assert row["accuracy"] == pytest.approx(np.mean(mine))
    assert row["accuracy_sd"] == pytest.approx(np.std(mine, ddof=1))


def test_json_tells_what_was_run(faces_on_disk, tmp_path):
    path = tmp_path / "numbers.json"
    more = ["--classes", "anger", "happiness", "--negatives", "prediction", "--json", str(path)]
    assert main(table_call(faces_on_disk, *QUICK, *more)) == 0
    record = json.loads(path.read_text())
    assert record["skfer"] == __version__
    assert set(record["versions"]) == {"numpy", "sklearn", "torch"}
    assert record["settings"]["labels"] == str(faces_on_disk / "labels.csv")
    assert record["settings"]["folds"] == 2
    assert record["protocol"] == "group-fold"
    assert record["data"] == {
        "dataset": "table",
        "images": 12,
        "shape": [24, 24],
        "classes": {"anger": 6, "happiness": 6},
        "groups": record["data"]["groups"],
        "groups_are": "subjects",
        "left_out": [],
    }
    assert list(record["methods"]) == list(METHODS)
    assert record["methods"]["pca"] == {"n_components": 100, "random_state": 0}
    assert record["methods"]["triplet-center"]["negatives"] == "prediction"
    assert record["methods"]["gaussian"]["max_epochs"] == 1
    first, second = record["splits"]
    assert first["train"] == second["test"]
    assert not set(first["test_groups"]) & set(second["test_groups"])
    assert len(first["test_groups"] + second["test_groups"]) == record["data"]["groups"]
    mine = [f for f in record["folds"] if f["method"] == "gaussian"]
    assert [f["n_test"] for f in mine] == [sum(s["test"].values()) for s in record["splits"]]


def test_json_of_drawn_faces_without_subjects_or_files():
    faces = prepare(make_expressions(2, 1, image_size=16))
    faces.update(groups=None)
    assert data_record(faces)["groups_are"] is None
    assert split_record(faces, [0], [1])["test_groups"] is None


def test_a_seed_fixes_the_numbers(tmp_path):
    records = []
    for name in ("a.json", "b.json"):
        main(["evaluate", *QUICK, "--image-size", "24", "--json", str(tmp_path / name)])
        folds = json.loads((tmp_path / name).read_text())["folds"]
        records.append([(f["method"], f["fold"], f["accuracy"], f["recall_at_1"]) for f in folds])
    assert records[0] == records[1]


def test_own_faces_in_folders(faces_on_disk, capsys):
    call = ["evaluate", "--dataset", "folder", "--root", str(faces_on_disk), "--image-size", "24"]
    (faces_on_disk / "labels.csv").rename(faces_on_disk.parent / "labels.csv")
    try:
        assert main([*call, *QUICK, "--group-pattern", r"(p\d+)_", "--classifier", "svm"]) == 0
        assert " subjects; group-fold" in capsys.readouterr().out
        assert main([*call, *QUICK]) == 0
        assert "subjects unknown" in capsys.readouterr().out
    finally:
        (faces_on_disk.parent / "labels.csv").rename(faces_on_disk / "labels.csv")


def test_own_faces_in_atable_call(faces_on_disk, capsys):
    assert main(table_call(faces_on_disk, *QUICK, "--negatives", "prediction")) == 0
    assert "24 faces of 4 expressions, " in capsys.readouterr().out


@pytest.mark.parametrize("protocol", ["subject-10fold", "leave-one-subject-out"])
def test_protocols(faces_on_disk, capsys, protocol):
    assert main(table_call(faces_on_disk, *SHORT, "--protocol", protocol)) == 0
    assert f"{protocol}, 1" in capsys.readouterr().out


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_progress_is_shown_on_a_terminal(faces_on_disk, capsys, monkeypatch, terminal, quiet):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    words = [word for word in table_call(faces_on_disk, *QUICK) if word != "--quiet"]
    assert main([*words, "--quiet"] if quiet else words) == 0
    said = capsys.readouterr().err
    if terminal and not quiet:
        assert "decoding: 100%" in said
        assert "training: " in said
    else:
        assert said == ""


@pytest.mark.real_faces
def test_real_faces_from_atable_call(real_faces_root, tmp_path, capsys):
    wild = real_faces_root / "wild-faces"
    path = tmp_path / "numbers.json"
    columns = ["--label-column", "expression", "--group-column", "person"]
    call = ["evaluate", "--labels", str(wild / "labels.csv"), "--root", str(wild / "images")]
    assert main([*call, *columns, *QUICK, "--json", str(path)]) == 0
    assert "8 expressions" in capsys.readouterr().out
