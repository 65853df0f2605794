"""`skfer evaluate`: its table, its numbers, its bars."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import trees
from helpers.calls import PCA, QUICK, SHORT, SMALL, accuracies_in, table_call
from PIL import Image

from skfer import __version__
from skfer.cli import _evaluate, _figures, _output, main
from skfer.cli._output import say
from skfer.cli._record import data_record, split_record
from skfer.cli.exit_codes import FAILED, INTERRUPTED, READER_GONE
from skfer.datasets import make_expressions
from skfer.evaluation import (
    METHODS,
    Cell,
    Table,
    compare,
    format_tables,
    make_methods,
    make_splits,
    prepare,
)


def test_own_predictions_are_compared_without_pca(capsys):
    assert main(["evaluate", *QUICK, "--image-size", "24", "--classifier", "own"]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert "pca" not in rows
    assert {name for name in METHODS if name != "pca"} <= set(rows)


def test_evaluate_prints_a_table_and_writes_json(tmp_path, capsys):
    path = tmp_path / "numbers.json"
    assert main(["evaluate", *QUICK, "--image-size", "24", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "48 faces of 8 expressions" in out
    assert "group-fold, 2 folds; classifier: knn" in out
    for method in METHODS:
        lines = [line for line in out.splitlines() if line.startswith(f"{method} ")]
        assert len(lines) == (3 if method == "cross-entropy" else 4)  # but for differences from it
    record = json.loads(path.read_text())
    assert [row["method"] for row in record["summary"]] == list(METHODS)
    assert len(record["folds"]) == 10
    assert record["settings"]["seed"] == 0
    assert record["complete"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["numbers.fits.jsonl", "numbers.json"]
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
    assert set(record["versions"]) == {"numpy", "scipy", "sklearn", "torch"}
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
        "unlabeled": 0,
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


def test_json_has_the_prediction_of_every_face(faces_on_disk, tmp_path):
    path = tmp_path / "numbers.json"
    some = ["--embedders", "pca,cross-entropy", "--seeds", "2", "--json", str(path)]
    assert main(table_call(faces_on_disk, *QUICK, *some)) == 0
    record = json.loads(path.read_text())
    assert [(f["method"], f["seed"], f["fold"]) for f in record["folds"]] == [
        (name, seed, fold)
        for name in ("pca", "cross-entropy")
        for seed in (0, 1)
        for fold in (0, 1)
    ]
    faces = record["faces"]
    assert all((faces_on_disk / name).is_file() for name in faces["filenames"])
    rows = [row for split in record["splits"] for row in split["test_rows"]]
    assert sorted(rows) == list(range(len(faces["target"])))
    for fit in record["folds"]:
        truth = np.array(faces["target"])[record["splits"][fit["fold"]]["test_rows"]]
        assert np.mean(truth == np.array(fit["predicted"])) == pytest.approx(fit["accuracy"])
    counts = np.array(record["confusion"]["pca"])
    assert counts.sum() == 2 * len(rows)
    assert counts.shape == (4, 4)


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
        assert main([*call, *PCA]) == 0
        assert "subjects unknown" in capsys.readouterr().out
    finally:
        (faces_on_disk.parent / "labels.csv").rename(faces_on_disk / "labels.csv")


def test_own_faces_in_a_table(faces_on_disk, capsys):
    assert main(table_call(faces_on_disk, *QUICK, "--negatives", "prediction")) == 0
    assert "24 faces of 4 expressions, " in capsys.readouterr().out


@pytest.mark.parametrize("protocol", ["subject-10fold", "leave-one-subject-out"])
def test_protocols(faces_on_disk, capsys, protocol):
    call = [*SHORT[2:], "--embedders", "pca", "--protocol", protocol]
    assert main(table_call(faces_on_disk, *call)) == 0
    assert f"{protocol}, 1" in capsys.readouterr().out


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_progress_is_shown_on_a_terminal(faces_on_disk, capsys, monkeypatch, terminal, quiet):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    words = [word for word in table_call(faces_on_disk, *QUICK) if word != "--quiet"]
    assert main([*words, "--quiet"] if quiet else words) == 0
    said = capsys.readouterr().err
    if terminal and not quiet:
        assert "decoding: 100%" in said
        assert "training, 0 of 10 fits done" in said
    else:
        assert said == ""


def test_as_many_epochs_as_usual_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    few = ["--max-per-class", "6", "--classes", "anger", "happiness", "--image-size", "16"]
    call = ["evaluate", *few, "--folds", "2", "--embedders", "cross-entropy,pca"]
    assert main(call) == 0
    said = capsys.readouterr()
    assert "/322 " in said.err
    assert "pca" in said.out


@pytest.mark.real_faces
def test_real_faces_from_a_table(real_faces_root, tmp_path, capsys):
    wild = real_faces_root / "wild-faces"
    path = tmp_path / "numbers.json"
    columns = ["--label-column", "expression", "--group-column", "person"]
    call = ["evaluate", "--labels", str(wild / "labels.csv"), "--root", str(wild / "images")]
    assert main([*call, *columns, *QUICK, "--json", str(path)]) == 0
    assert "8 expressions" in capsys.readouterr().out


def test_nothing_is_said_of_no_fits(tmp_path, monkeypatch, capsys):
    def broken(*data, **options):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(_evaluate, "compare", broken)
    assert main(["evaluate", *SMALL, "--json", str(tmp_path / "x.json")]) == INTERRUPTED
    captured = capsys.readouterr()
    assert "0 of 4 fits are done." in captured.err
    assert len(captured.out.splitlines()) == 2  # the headline
    assert not list(tmp_path.iterdir())


def test_ctrl_c_in_a_process_of_its_own(tmp_path):
    results, path = tmp_path / "x.fits.jsonl", tmp_path / "x.json"
    words = [*SHORT, "--folds", "5", "--image-size", "24"]
    call = [sys.executable, "-m", "skfer", "evaluate", *words, "--json", str(path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        while not (results.exists() and len(results.read_text().splitlines()) > 1):
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=300)
    assert run.returncode == INTERRUPTED, err
    assert "Traceback" not in err
    assert "pca" in out
    n_done = len(results.read_text().splitlines())
    assert len(json.loads(path.read_text())["folds"]) == n_done < 25


def test_tables_in_an_ascii_locale(tmp_path):
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    call = [sys.executable, "-m", "skfer", "evaluate", *PCA, "--json", str(tmp_path / "x.json")]
    run = subprocess.run(call, capture_output=True, env=environment, timeout=600)
    assert run.returncode == 0, run.stderr
    assert b"mean +- standard deviation" in run.stdout
    assert len(accuracies_in(tmp_path / "x.json")) == 2


@pytest.mark.parametrize("option", ["--results", None])
def test_what_is_wanted_is_done_though_nobody_reads_the_first_line(tmp_path, option):
    path = tmp_path / "x"
    wanted = [] if option is None else [option, str(path)]
    call = [sys.executable, "-m", "skfer", "evaluate", *PCA, "--image-size", "16", *wanted]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait() == READER_GONE
    assert path.exists() == (option is not None)


def test_numbers_and_fits_do_not_share_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_evaluate, "_prepare", None)
    path = str(tmp_path / "x")
    assert main(["evaluate", *SMALL, "--json", path, "--results", path]) == FAILED
    assert capsys.readouterr().err == (
        f"skfer: error: --json and --results are both {path}: give another file for one of them.\n"
    )


def test_pictures_are_not_drawn_among_those_that_are_read(faces_on_disk, tmp_path, capsys):
    drawn = faces_on_disk / "drawn"
    call = ["evaluate", *PCA, "--dataset", "folder", "--root", str(faces_on_disk)]
    assert main([*call, "--figures", str(drawn)]) == FAILED
    said = capsys.readouterr().err
    assert said.startswith(f"skfer: error: --figures {drawn} is in {faces_on_disk}, whose pictures")
    assert not drawn.exists()
    pictures = tmp_path / "pictures"
    shutil.copytree(faces_on_disk, pictures)  # a table names the pictures that are read
    assert main(table_call(pictures, *PCA, "--figures", str(pictures / "drawn"))) == 0


def test_numbers_are_written_though_the_reader_has_gone(tmp_path):
    path = tmp_path / "x.json"
    call = [sys.executable, "-m", "skfer", "evaluate", *PCA, "--json", str(path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait() == READER_GONE
    assert json.loads(path.read_text())["complete"]


@pytest.mark.parametrize("style", ["markdown", "latex", "csv"])
def test_tables_for_other_programs_come_alone(tmp_path, capsys, style):
    path = tmp_path / "x.json"
    assert main(["evaluate", *SMALL, "--table", style, "--confusion", "--json", str(path)]) == 0
    captured = capsys.readouterr()
    starts = {"markdown": "**mean", "latex": "% mean", "csv": "table,row,column,value,spread"}
    assert captured.out.startswith(starts[style])
    assert "what each class (row) was taken for" in captured.out
    assert "All numbers" not in captured.out
    assert "All numbers" in captured.err


def test_pictures(tmp_path, capsys):
    folder = tmp_path / "pictures"
    assert main(["evaluate", *SMALL, "--figures", str(folder)]) == 0
    names = [f"{what}-{name}.png" for name in ("pca", "cross-entropy") for what in FIGURES]
    names.append("comparison.png")
    assert f"Pictures in {folder}: {', '.join(names)}\n" in capsys.readouterr().out
    for name in names:
        assert np.ptp(np.asarray(Image.open(folder / name).convert("L"))) > 200


def test_pictures_can_be_compared_whatever_classes_are_called(tmp_path, monkeypatch):
    """Colors of all confusions are on one scale, and what the font lacks is told once."""
    faces = make_expressions(
        4, 1, classes=["anger", "happiness", "surprise"], image_size=16, random_state=0
    )
    names = faces.target_names.astype("U20")
    names[np.unique(faces.target)] = ["$x_{$", "\u5feb\u4e50", "<b>"]
    faces.target_names = names
    splits = make_splits(faces, n_folds=2)
    fits = list(compare(make_methods(["pca"]), faces.images, faces.target, splits))
    others = [replace(fit, method="other_$", points=None) for fit in fits]
    drawn, real = [], _figures.draw_confusion
    monkeypatch.setattr(
        _figures, "draw_confusion", lambda *a, **o: drawn.append(real(*a, **o)) or drawn[-1]
    )
    wanted = SimpleNamespace(faces=faces, splits=splits)
    with pytest.warns(UserWarning, match="lacks characters of names, \u5feb\u4e50: set") as told:
        _figures.draw_comparison(tmp_path, wanted, [*fits, *others])
    assert len(told) == 1
    assert [display.im_.get_clim() for display in drawn] == [(0, 1), (0, 1)]
    labels = [label.get_text() for label in drawn[0].ax_.get_xticklabels()]
    assert labels == [r"\$x_{\$", "\u5feb\u4e50", "<b>"]


FIGURES = ("embedding", "confusion")


def test_pictures_without_matplotlib_are_refused_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_figures, "find_spec", lambda name: None)
    assert main(["evaluate", "--figures", str(tmp_path / "x")]) == FAILED
    assert "--figures needs matplotlib: pip install " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_unlabeled_faces_are_counted_and_told(tmp_path, capsys):
    trees.folder(tmp_path, [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(8)])
    rows = [
        f"{word}/{i}.png,{word if i else 'unlabeled'}"
        for word in ("happy", "sad")
        for i in range(8)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    call = ["--labels", str(tmp_path / "labels.csv"), "--image-size", "16"]
    assert main(["evaluate", *PCA, *call]) == 0
    told = "skfer: warning: 2 of 16 images have no label: they are left out. (With "
    told += "--use-unlabeled, gaussian learns from them too.)"
    said = capsys.readouterr()
    assert said.err.splitlines() == [told]
    assert "networks" not in said.out
    (tmp_path / "labels.csv").write_text(
        "\n".join(["file,label", "happy/0.png,", *rows[1:]]) + "\n"
    )
    assert main(["evaluate", *PCA, *call]) == 0
    told = capsys.readouterr().err.splitlines()
    assert "1 of 16 rows have no label in the column 'label'" in told[0]
    assert len(told) == 2


def test_subgroups_of_one_value_are_told_before_a_fit(faces_on_disk, tmp_path, capsys, monkeypatch):
    header, *rows = (faces_on_disk / "labels.csv").read_text().splitlines()
    table = tmp_path / "labels.csv"
    table.write_text("\n".join([f"{header},skin", *(f"{row},dark" for row in rows)]) + "\n")
    call = table_call(faces_on_disk, *PCA, "--subgroup-column", "skin")
    call[call.index("--labels") + 1] = str(table)
    monkeypatch.setattr("skfer.cli._evaluate._fits", None)
    assert main([*call, "--root", str(faces_on_disk)]) != 0
    err = capsys.readouterr().err
    assert "--subgroup-column: the column 'skin' has less than two values: ['dark']" in err


def test_subgroups_of_a_table(faces_on_disk, tmp_path, capsys):
    header, *rows = (faces_on_disk / "labels.csv").read_text().splitlines()
    rows = [f"{row},{'even' if int(row.rpartition('p')[2]) % 2 == 0 else 'odd'}" for row in rows]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join([f"{header},parity", *rows]) + "\n")
    call = table_call(faces_on_disk, *PCA, "--subgroup-column", "parity")
    call[call.index("--labels") + 1] = str(table)
    path = tmp_path / "x.json"
    assert main([*call, "--root", str(faces_on_disk), "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "pca: subgroups" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("even", "odd"))] == [
        "even",
        "odd",
    ] * 2
    assert set(json.loads(path.read_text())["faces"]["subgroup"]) == {"even", "odd"}


def test_a_table_whose_pictures_lie_elsewhere(faces_on_disk, tmp_path, capsys):
    table = tmp_path / "labels.csv"
    table.write_text((faces_on_disk / "labels.csv").read_text())
    call = table_call(faces_on_disk, *QUICK)
    call[call.index("--labels") + 1] = str(table)
    assert main(call) == FAILED
    said = capsys.readouterr().err
    assert said.endswith("give --root DIR, the folder that the names start from.\n")


def test_tables_are_told_where_pictures_cannot_be_written(tmp_path, capsys):
    (tmp_path / "comparison.png").mkdir()
    call = ["evaluate", *SMALL, "--figures", str(tmp_path), "--json", str(tmp_path / "x.json")]
    assert main(call) == FAILED
    said = capsys.readouterr()
    assert "balanced accuracy" in said.out
    assert f"cannot use '{tmp_path / 'comparison.png'}': Is a directory." in said.err
    assert (tmp_path / "x.json").exists()


def test_pictures_are_drawn_where_numbers_cannot_be_written(tmp_path, monkeypatch, capsys):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(_output, "replaced", full)
    path, drawn = tmp_path / "x.json", tmp_path / "drawn"
    assert main(["evaluate", *SMALL, "--figures", str(drawn), "--json", str(path)]) == FAILED
    said = capsys.readouterr()
    assert "balanced accuracy" in said.out
    assert f"--json {path} could not be written: No space left on device." in said.err
    assert (drawn / "comparison.png").exists()


def test_what_draws_is_tried_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    def refuse(name):
        raise ImportError("no backend")

    monkeypatch.setattr(_figures, "import_module", refuse)
    assert main(["evaluate", *SMALL, "--figures", str(tmp_path / "x")]) == FAILED
    said = capsys.readouterr()
    assert said.err == "skfer: error: no backend\n"
    assert said.out == ""
    assert not list(tmp_path.iterdir())


def test_names_that_a_stream_lacks_leave_columns_straight():
    stream = io.TextIOWrapper(io.BytesIO(), "cp1252")
    table = Table("scores", ["快乐"], [("怒", [Cell(0.5)]), ("joy", [Cell(0.25)])])
    call = SimpleNamespace(table="text")
    say(format_tables(_evaluate._readable([table], call, stream)), stream)
    stream.seek(0)
    lines = [line for line in stream.read().splitlines() if line.strip()]
    assert lines[1].split() == [r"\u5feb\u4e50"]
    assert len({len(line) for line in lines[1:]}) == 1
    latex = SimpleNamespace(table="latex")
    assert _evaluate._readable([table], latex, stream) == [table]
