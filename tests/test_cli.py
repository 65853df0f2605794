"""The command line: tables, files, exit codes, words that help."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skfer import cli
from skfer.datasets import make_expressions

QUICK = ["--epochs", "1", "--max-per-class", "6", "--n-jobs", "1", "--quiet", "--folds", "2"]
METHODS = ["PCA on pixels", "cross-entropy", "multi-threshold", "triplet-center", "Gaussian"]


@pytest.fixture(scope="module")
def faces_on_disk(tmp_path_factory):
    """Forty-eight drawn faces as files, in class folders, and a table of them."""
    root = tmp_path_factory.mktemp("faces")
    faces = make_expressions(
        12,
        1,
        image_size=24,
        expressions=["anger", "happiness", "neutral", "surprise"],
        random_state=0,
    )
    lines = ["path,emotion,person"]
    for i, (image, code, person) in enumerate(
        zip(faces.images, faces.target, faces.groups, strict=True)
    ):
        name = f"{faces.target_names[code]}/p{person:02d}_{i}.png"
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(root / name)
        lines.append(f"{name},{faces.target_names[code]},p{person}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def test_evaluate_prints_a_table_and_writes_json(tmp_path, capsys):
    path = tmp_path / "numbers.json"
    assert cli.main(["evaluate", *QUICK, "--image-size", "24", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "48 faces of 8 expressions" in out
    assert "group-fold, 2 folds; classifier: knn" in out
    for method in METHODS:
        assert sum(line.startswith(method) for line in out.splitlines()) == 1
    record = json.loads(path.read_text())
    assert [row["method"] for row in record["summary"]] == METHODS
    assert len(record["folds"]) == 10
    assert record["settings"]["seed"] == 0
    assert not list(tmp_path.glob("*.part"))
    mine = [f["accuracy"] for f in record["folds"] if f["method"] == "Gaussian"]
    row = next(r for r in record["summary"] if r["method"] == "Gaussian")
    assert row["accuracy"] == pytest.approx(np.mean(mine))
    assert row["accuracy_sd"] == pytest.approx(np.std(mine, ddof=1))


def test_a_seed_fixes_the_numbers(tmp_path):
    records = []
    for name in ("a.json", "b.json"):
        cli.main(["evaluate", *QUICK, "--image-size", "24", "--json", str(tmp_path / name)])
        folds = json.loads((tmp_path / name).read_text())["folds"]
        records.append([(f["method"], f["fold"], f["accuracy"], f["recall_at_1"]) for f in folds])
    assert records[0] == records[1]


def test_own_faces_in_folders(faces_on_disk, capsys):
    call = ["evaluate", "--dataset", "folder", "--root", str(faces_on_disk), "--image-size", "24"]
    (faces_on_disk / "labels.csv").rename(faces_on_disk.parent / "labels.csv")
    try:
        assert cli.main([*call, *QUICK, "--group-pattern", r"(p\d+)_", "--classifier", "svm"]) == 0
        assert " subjects; group-fold" in capsys.readouterr().out
        assert cli.main([*call, *QUICK]) == 0
        assert "subjects unknown" in capsys.readouterr().out
    finally:
        (faces_on_disk.parent / "labels.csv").rename(faces_on_disk / "labels.csv")


def _table(root, *more):
    columns = ["--file-column", "path", "--label-column", "emotion", "--group-column", "person"]
    return ["evaluate", "--labels", str(root / "labels.csv"), "--image-size", "24", *columns, *more]


def test_own_faces_in_a_table(faces_on_disk, capsys):
    assert cli.main(_table(faces_on_disk, *QUICK, "--negatives", "prediction")) == 0
    assert "24 faces of 4 expressions, " in capsys.readouterr().out


@pytest.mark.parametrize("protocol", ["subject-10fold", "leave-one-subject-out"])
def test_protocols(faces_on_disk, capsys, protocol):
    assert cli.main(_table(faces_on_disk, *QUICK, "--protocol", protocol)) == 0
    assert f"{protocol}, 1" in capsys.readouterr().out


BAD = {
    "no root": (["--dataset", "folder"], "--dataset folder needs --root DIR"),
    "no table": (["--dataset", "table"], "--dataset table needs --labels CSV"),
    "no such root": (["--dataset", "folder", "--root", "nowhere"], "nowhere"),
    "no such table": (["--labels", "nowhere.csv"], "nowhere.csv"),
    "json": (["--json", "nowhere/x.json"], "there is no folder nowhere"),
    "one fold": (["--folds", "1"], "needs at least 2"),
    "many folds": (["--folds", "99", "--max-per-class", "2"], "at least 99 subjects"),
    "no split": (["--protocol", "official"], "no official split"),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_help(case, capsys):
    arguments, message = BAD[case]
    assert cli.main(["evaluate", "--quiet", "--n-jobs", "1", *arguments]) == cli.FAILED
    err = capsys.readouterr().err
    assert err.startswith("skfer: error: ")
    assert message in err
    assert "Traceback" not in err


def test_unknown_column(faces_on_disk, capsys):
    call = ["evaluate", "--quiet", "--labels", str(faces_on_disk / "labels.csv")]
    assert cli.main([*call, "--label-column", "mood"]) == cli.FAILED
    assert "mood" in capsys.readouterr().err


def test_subjects_are_needed_by_their_protocols(faces_on_disk, capsys):
    call = _table(faces_on_disk, *QUICK)
    del call[call.index("--group-column") : call.index("--group-column") + 2]
    assert cli.main([*call, "--protocol", "subject-10fold"]) == cli.FAILED
    assert "needs subjects" in capsys.readouterr().err


def test_interrupt(monkeypatch, capsys):
    def stop(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_faces", stop)
    assert cli.main(["evaluate"]) == cli.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def test_datasets_check(tmp_path, capsys):
    Image.new("L", (256, 256)).save(tmp_path / "KA.AN1.39.tiff")
    assert cli.main(["datasets", "check", "jaffe", str(tmp_path)]) == cli.INCOMPLETE
    assert "anger" in capsys.readouterr().out
    assert cli.main(["datasets", "check", "jaffe", str(tmp_path / "none")]) == cli.FAILED


@pytest.mark.real_faces
def test_real_faces_from_a_table(real_faces_root, tmp_path, capsys):
    wild = real_faces_root / "wild-faces"
    path = tmp_path / "numbers.json"
    columns = ["--label-column", "expression", "--group-column", "person"]
    call = ["evaluate", "--labels", str(wild / "labels.csv"), "--root", str(wild / "images")]
    assert cli.main([*call, *columns, *QUICK, "--json", str(path)]) == 0
    assert "8 expressions" in capsys.readouterr().out


def test_the_command_is_installed():
    run = subprocess.run(
        [sys.executable, "-m", "skfer.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("skfer ")
