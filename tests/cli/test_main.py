"""The command line: tables, files, exit codes, words that help."""

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import warnings
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest
from helpers import trees
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin

from skfer import __version__
from skfer.cli import _main as cli
from skfer.cli import _output
from skfer.cli._options import EPILOG, make_parser
from skfer.datasets import DATASETS, make_expressions
from skfer.evaluation import _protocols
from skfer.evaluation._comparison import (
    Score,
    as_table,
    check_folds,
    evaluate,
    pca_baseline,
    summarize,
    training_warnings,
)
from skfer.evaluation._protocols import load_faces, make_splits

SHORT = ["--epochs", "1", "--max-per-class", "6", "--n-jobs", "1", "--quiet"]
QUICK = [*SHORT, "--folds", "2"]
METHODS = ["PCA on pixels", "cross-entropy", "multi-threshold", "triplet-center", "Gaussian"]


@pytest.fixture(scope="module")
def faces_on_disk(tmp_path_factory):
    """Forty-eight drawn faces as files, in class folders, and a table of them."""
    root = tmp_path_factory.mktemp("faces")
    faces = make_expressions(
        12,
        1,
        image_size=24,
        classes=["anger", "happiness", "neutral", "surprise"],
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


def test_json_tells_what_was_run(faces_on_disk, tmp_path):
    path = tmp_path / "numbers.json"
    more = ["--classes", "anger", "happiness", "--negatives", "prediction", "--json", str(path)]
    assert cli.main(_table(faces_on_disk, *QUICK, *more)) == 0
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
    assert list(record["methods"]) == METHODS
    assert record["methods"]["PCA on pixels"] == {"n_components": 100, "random_state": 0}
    assert record["methods"]["triplet-center"]["negatives"] == "prediction"
    assert record["methods"]["Gaussian"]["max_epochs"] == 1
    first, second = record["splits"]
    assert first["train"] == second["test"]
    assert not set(first["test_groups"]) & set(second["test_groups"])
    assert len(first["test_groups"] + second["test_groups"]) == record["data"]["groups"]
    mine = [f for f in record["folds"] if f["method"] == "Gaussian"]
    assert [f["n_test"] for f in mine] == [sum(s["test"].values()) for s in record["splits"]]


def test_json_of_drawn_faces_without_subjects_or_files():
    faces = load_faces(_arguments("--max-per-class", "2"))
    faces.update(groups=None)
    assert cli._data_record(faces)["groups_are"] is None
    assert cli._split_record(faces, [0], [1])["test_groups"] is None


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
    assert cli.main(_table(faces_on_disk, *SHORT, "--protocol", protocol)) == 0
    assert f"{protocol}, 1" in capsys.readouterr().out


BAD = {
    "no root": (["--dataset", "folder"], "--dataset folder needs --root DIR"),
    "no table": (["--dataset", "table"], "--dataset table needs --labels CSV"),
    "no such root": (["--dataset", "folder", "--root", "nowhere"], "nowhere"),
    "no such table": (["--labels", "nowhere.csv"], "nowhere.csv"),
    "json": (["--json", "nowhere/x.json"], "nowhere. Make it first"),
    "one fold": (["--folds", "1"], "needs at least 2"),
    "many folds": (["--folds", "99", "--max-per-class", "2"], "at least 99 subjects"),
    "no split": (["--protocol", "official"], "no official split: give --protocol group-fold"),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_help(case, capsys):
    arguments, message = BAD[case]
    assert cli.main(["evaluate", "--quiet", "--n-jobs", "1", *arguments]) == cli.FAILED
    err = capsys.readouterr().err
    assert err.startswith("skfer: error: ")
    assert message in err
    assert "Traceback" not in err


def _error(capsys, *words):
    """Return what `skfer evaluate` says when it refuses a call."""
    assert cli.main(["evaluate", "--quiet", "--n-jobs", "1", *words]) == cli.FAILED
    return capsys.readouterr().err


def test_missing_columns_are_told_by_their_options(faces_on_disk, capsys):
    table = str(faces_on_disk / "labels.csv")
    both = _error(capsys, "--labels", table)
    assert both.endswith("Give --file-column NAME and --label-column NAME.\n")
    assert "no column 'file', 'label'; its columns are 'path', 'emotion', 'person'." in both
    columns = ["--file-column", "path", "--label-column", "mood", "--group-column", "who"]
    two = _error(capsys, "--labels", table, *columns)
    assert two.endswith("Give --label-column NAME and --group-column NAME.\n")


def test_errors_name_options_and_not_parameters(tmp_path, capsys):
    trees.folder(tmp_path / "faces", ["happy/a.png", "sad/b.png"])
    trees.folder(tmp_path / "faces", ["happy/c.png"], size=(6, 6))
    trees.spoil(tmp_path / "faces" / "sad" / "b.png", "empty")
    call = ["--dataset", "folder", "--root", str(tmp_path / "faces")]
    bad = _error(capsys, *call)
    assert "b.png: an empty file" in bad
    assert bad.endswith("or give --skip-bad to leave them out.\n")
    assert "--group-pattern '(' is not a regular" in _error(capsys, *call, "--group-pattern", "(")
    assert "--root 'root=x' does not" in _error(capsys, *call[:2], "--root", "root=x")
    missing = tmp_path / "none" / "x.csv"
    assert f"--labels {missing}: there is no such file" in _error(capsys, "--labels", str(missing))
    assert "--image-size must be from 16" in _error(capsys, "--image-size", "2000")


def test_a_cache_that_is_no_folder(faces_on_disk, capsys):
    table = str(faces_on_disk / "labels.csv")
    assert f"--cache-dir {table} is a file: give a folder." in _error(
        capsys, *_table(faces_on_disk)[1:], "--cache-dir", table
    )


def test_copies_in_folds_are_told_by_options(tmp_path, capsys):
    for i in range(6):
        trees.picture(tmp_path / f"happy/{i}.png", (16, 16), seed=i)
        trees.picture(tmp_path / f"sad/{i}.png", (16, 16), seed=9)
    said = _error(capsys, "--dataset", "folder", "--root", str(tmp_path), "--image-size", "16")
    assert "--group-pattern, so that copies stay together" in said
    assert "SubjectKFold" not in said


def test_the_root_of_a_check_is_no_option(tmp_path, capsys):
    assert cli.main(["datasets", "check", "jaffe", str(tmp_path / "none")]) == cli.FAILED
    assert capsys.readouterr().err.startswith(f"skfer: error: ROOT '{tmp_path}/none' does not")


def test_what_the_system_refuses_is_told(monkeypatch, capsys):
    def refuse(arguments):
        raise PermissionError(13, "Permission denied", "/faces/happy")

    monkeypatch.setattr(cli, "load_faces", refuse)
    assert _error(capsys) == "skfer: error: cannot use '/faces/happy': Permission denied.\n"


def _broken(capsys, monkeypatch, error):
    """Return the exit code and what is said when an error comes from nowhere."""

    def fail(arguments):
        raise error

    monkeypatch.setattr(cli, "load_faces", fail)
    return cli.main(["evaluate"]), capsys.readouterr().err


def test_faults_of_skfer_itself(capsys, monkeypatch):
    code, said = _broken(capsys, monkeypatch, TypeError("who am I?"))
    assert code == cli.BROKEN
    assert "Traceback" in said
    assert "TypeError: who am I?" in said
    assert said.endswith("please report it with the lines above\n")


@pytest.mark.parametrize("error", [MemoryError("400 GiB"), BrokenProcessPool("killed")])
def test_no_memory(capsys, monkeypatch, error):
    code, said = _broken(capsys, monkeypatch, error)
    assert code == cli.FAILED
    assert said.startswith("skfer: error: not enough memory: give a smaller --image-size")
    assert said.endswith(f"({error})\n")


def test_a_reader_that_goes_is_no_error():
    call = [sys.executable, "-m", "skfer.cli", "evaluate", *QUICK, "--image-size", "16"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait() == cli.READER_GONE


def test_too_little_to_train_on(tmp_path, capsys):
    trees.folder(tmp_path / "one", ["happy/a.png", "happy/b.png", "unlabeled/c.png"])
    trees.folder(tmp_path / "none", ["unlabeled/c.png"])
    trees.folder(tmp_path / "few", [f"{word}/{i}.png" for word in ("happy", "sad") for i in "123"])
    call = ["--dataset", "folder", "--image-size", "16", "--root"]
    one = _error(capsys, *call, str(tmp_path / "one"))
    assert "all 2 images are of one class, 'happiness': give at least two" in one
    for more in ([], ["--max-per-class", "2"]):
        assert "no image has a label" in _error(capsys, *call, str(tmp_path / "none"), *more)
    few = _error(capsys, *call, str(tmp_path / "few"))
    assert "fold 0 has 4 images to train on, and --classifier knn needs 5" in few
    splits = [(np.array([0, 1]), np.array([2, 3]))]
    with pytest.raises(ValueError, match="fold 0 has one class to train on"):
        check_folds(np.array([0, 0, 1, 1]), splits, "svm")


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_what_is_left_out_is_told_in_a_line(tmp_path, capsys):
    trees.folder(tmp_path, [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(8)])
    for name in ("happy/7.png", "sad/6.png"):
        trees.spoil(tmp_path / name, "empty")
    call = ["--dataset", "folder", "--root", str(tmp_path), "--image-size", "16", "--skip-bad"]
    assert cli.main(["evaluate", *call, *QUICK]) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        "skfer: warning: 2 of 16 files cannot be used: happy/7.png: an empty file; "
        "sad/6.png: an empty file. They are left out."
    )


def test_warnings_of_training_are_told_once():
    score = Score("Gaussian", 0, 1, 1, 1, 1, 1, 1, 1, ("it collapsed",))
    scores = [score, replace(score, fold=1), replace(score, fold=2, warnings=())]
    assert training_warnings(scores) == ["Gaussian; 2 of 3 folds: it collapsed"]
    scores.append(replace(score, method="cross-entropy", fold=2))
    assert training_warnings(scores) == ["Gaussian, cross-entropy; 3 of 3 folds: it collapsed"]


def test_recall_that_is_not_defined_is_left_out():
    X, y = np.eye(12, dtype=np.float32), np.array([0, 1] * 4 + [0, 1, 0, 0])
    splits = [(np.arange(8), np.array([8, 9])), (np.arange(8), np.array([10, 11]))]
    scores = sorted(evaluate({"PCA": pca_baseline()}, X, y, None, splits), key=lambda s: s.fold)
    assert [score.recall_at_1 for score in scores] == [None, 1.0]
    (row,) = summarize(scores, ["PCA"])
    assert (row["recall_at_1"], row["recall_at_1_sd"]) == (1.0, None)
    (told,) = training_warnings(scores)
    assert told.startswith("PCA; 1 of 2 folds: recall@1 is not defined")
    (row,) = summarize(scores[:1], ["PCA"])
    assert as_table([row]).splitlines()[-1].split()[3] == "-"


class _Warning(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        warnings.warn("it collapsed", UserWarning, stacklevel=1)
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)


@pytest.mark.filterwarnings("default:it collapsed")
def test_warnings_of_training_come_with_the_score():
    X, y, half = np.eye(12), np.arange(12) % 2, np.arange(6)
    (score,) = evaluate({"mine": _Warning()}, X, y, None, [(half, half + 6)])
    assert score.warnings == ("it collapsed",)


SENSELESS = {
    "--max-per-class": ("1",),
    "--seed": ("-1", "4294967296", "x"),
    "--epochs": ("0", "2.5", "many"),
    "--image-size": ("15", "-3", ""),
    "--frames": ("0", "some", "-1"),
    "--intensities": ("5",),
}


@pytest.mark.parametrize(("option", "value"), [(o, v) for o, vs in SENSELESS.items() for v in vs])
def test_senseless_numbers(capsys, option, value):
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate", option, value])
    assert caught.value.code == cli.FAILED
    said = capsys.readouterr().err
    assert f"argument {option}: " in said
    assert value in said.splitlines()[-1]
    assert "_" not in said.splitlines()[-1]


def test_subjects_are_needed_by_their_protocols(faces_on_disk, capsys):
    call = _table(faces_on_disk, *SHORT)
    del call[call.index("--group-column") : call.index("--group-column") + 2]
    assert cli.main([*call, "--protocol", "subject-10fold"]) == cli.FAILED
    assert "needs subjects" in capsys.readouterr().err


def _arguments(*words):
    return make_parser(cli.run_evaluate, cli.run_check).parse_args(
        ["evaluate", "--quiet", "--image-size", "16", *words]
    )


PEOPLE = [f"S{i:03d}" for i in range(10, 22)]
WOMEN = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
PARTS_OF_EIGHT = ["Training"] * 6 + ["PrivateTest"] * 2
VOTES = ((9, 0, 0, 1, 0, 0, 0, 0, 0, 0), (0, 9, 0, 1, 0, 0, 0, 0, 0, 0))


def _fer2013(root):
    """Write noise labelled sadness and fear in turn, six to train on and two to test."""
    draw = np.random.RandomState(0)
    pixels = [" ".join(map(str, draw.randint(0, 256, 2304))) for _ in PARTS_OF_EIGHT]
    trees.fer2013(root, [(4 - 2 * (i % 2), pixels[i], p) for i, p in enumerate(PARTS_OF_EIGHT)])


def _fer_plus(root):
    _fer2013(root)
    rows = [(p, f"fer000000{i}.png", VOTES[i % 2]) for i, p in enumerate(PARTS_OF_EIGHT)]
    trees.fer_plus_table(root, rows)


# A small copy of each set, its usual protocol, the number of folds, and the groups in the headline.
COPIES = {
    "ck+": (
        lambda root: trees.ck_plus(root, [(s, "001", 4, 1 + i % 7) for i, s in enumerate(PEOPLE)]),
        ("subject-10fold", 10, "12 subjects;"),
    ),
    "jaffe": (
        lambda root: trees.named(
            root, [f"{s}.{'AN' if i % 2 else 'HA'}1.{i}.tiff" for i, s in enumerate(WOMEN)]
        ),
        ("leave-one-subject-out", 10, "10 subjects;"),
    ),
    "fer2013": (_fer2013, ("official", 1, "8 different images, subjects unknown")),
    "fer+": (_fer_plus, ("official", 1, "8 different images, subjects unknown")),
    "raf-db": (
        lambda root: trees.raf_db(
            root,
            [(f"{'train_0000' if i < 6 else 'test_000'}{i}.jpg", 4 + i % 2) for i in range(8)],
        ),
        ("official", 1, "subjects unknown"),
    ),
    "affectnet": (
        lambda root: trees.affectnet_2021(
            root, [("train_set" if i < 6 else "val_set", i, i % 2, 0.5, -0.1) for i in range(8)]
        ),
        ("official", 1, "subjects unknown"),
    ),
    "bu3dfe": (
        lambda root: trees.named(
            root,
            [
                f"F{i:04d}/F{i:04d}_{'AN' if i > 6 else 'HA'}0{1 + i % 4}WH_F2D.bmp"
                for i in range(1, 13)
            ],
        ),
        ("subject-10fold", 10, "12 subjects;"),
    ),
    "sfew": (
        lambda root: trees.named(
            root,
            [
                f"{'Train' if i < 6 else 'Val'}/{('Sad', 'Angry')[i % 2]}/"
                f"{'A' if i < 6 else 'B'}_00051924{i}_00000005.png"
                for i in range(8)
            ],
        ),
        ("official", 1, "2 films, subjects unknown"),
    ),
    "mmi": (
        lambda root: trees.mmi(root, [(i, f"{s}-001", 5, 1 + i % 6) for i, s in enumerate(PEOPLE)]),
        ("subject-10fold", 10, "12 subjects;"),
    ),
}


def _noise(root, name):
    """Make the small copy of a set, no two pictures of it alike."""
    COPIES[name][0](root)
    for i, path in enumerate(sorted(root.rglob("*.*"))):
        if path.suffix.lower() in (".png", ".jpg", ".tiff", ".bmp"):
            trees.picture(path, (24, 24), seed=i)


@pytest.mark.parametrize("name", COPIES)
def test_every_set_is_split_by_its_protocol(tmp_path, name):
    protocol, n_folds, groups = COPIES[name][1]
    _noise(tmp_path, name)
    arguments = _arguments("--dataset", name, "--root", str(tmp_path))
    faces = load_faces(arguments)
    splits = make_splits(faces, None, 0)
    assert (faces.protocol, len(splits)) == (protocol, n_folds)
    assert groups in cli._headline(faces, arguments, len(splits))
    for train, test in splits:
        if protocol == "official":
            assert set(faces.split[train]) == {"train"}
            assert len(set(faces.split[test]) & {"train"}) == 0
        else:
            assert not set(faces.groups[train]) & set(faces.groups[test])


@pytest.mark.parametrize("name", COPIES)
def test_every_set_is_evaluated_by_default(tmp_path, capsys, monkeypatch, name):
    _noise(tmp_path, name)
    make = cli.make_methods  # one embedder is enough: they do not know the set
    some = ("PCA on pixels", "cross-entropy")
    monkeypatch.setattr(cli, "make_methods", lambda a: {k: make(a)[k] for k in some})
    call = ["--dataset", name, "--root", str(tmp_path), "--image-size", "16"]
    assert cli.main(["evaluate", *call, "--epochs", "1", "--n-jobs", "1"]) == 0
    protocol, n_folds, _ = COPIES[name][1]
    out = capsys.readouterr().out
    assert f"; {protocol}, {n_folds} " in out
    assert ("±" in out) == (n_folds > 1)  # one split has no spread


def test_every_name_is_tried():
    assert {*COPIES, "folder", "table"} == set(DATASETS)


def _evaluate(*words):
    faces = load_faces(_arguments(*words))
    return faces, make_splits(faces, None, 0)


def _copy(root, name):
    """Make the small copy of a set and return the options that name it."""
    COPIES[name][0](root / name)
    return ("--dataset", name, "--root", str(root / name))


def test_variants_of_protocols(tmp_path):
    call = {name: _copy(tmp_path, name) for name in ("ck+", "mmi", "bu3dfe")}
    loud = load_faces(_arguments(*call["ck+"], "--frames", "peak", "--neutral-first"))
    assert len(loud.target) == 24
    assert np.sum(loud.target == 5) == 12
    assert len(load_faces(_arguments(*call["ck+"], "--frames", "2")).target) == 24
    assert len(load_faces(_arguments(*call["mmi"], "--frames", "1")).target) == 12
    assert len(load_faces(_arguments(*call["bu3dfe"], "--intensities", "3", "4")).target) == 6


def test_classes(tmp_path, faces_on_disk, capsys):
    ck = _copy(tmp_path, "ck+")
    six = ["anger", "disgusted", "fear", "Happy", "sadness", "surprise"]
    faces = load_faces(_arguments(*ck, "--classes", *six))
    assert np.unique(faces.target).tolist() == [0, 2, 3, 4, 6, 7]
    drawn = load_faces(_arguments("--classes", "happy", "sad", "happiness"))
    assert np.unique(drawn.target).tolist() == [4, 6]
    table = load_faces(_arguments(*_table(faces_on_disk)[1:], "--classes", "anger", "surprise"))
    assert np.unique(table.target).tolist() == [0, 7]


def test_classes_that_are_not_there(tmp_path, faces_on_disk, capsys):
    ck = _copy(tmp_path, "ck+")
    said = _error(capsys, *ck, "--classes", "anger", "hapiness")
    assert "--classes hapiness: there is no such expression: give some of anger contempt" in said
    assert "--classes neutral: no image is of it: give --neutral-first" in _error(
        capsys, *ck, "--classes", "anger", "fear", "neutral"
    )
    assert "--classes fear: no image is of it: leave it out." in _error(
        capsys, *_table(faces_on_disk)[1:], "--classes", "anger", "fear"
    )
    assert "--classes ['bored']: ['bored'] is not among" in _error(
        capsys, *_table(faces_on_disk)[1:], "--classes", "bored"
    )
    assert "'anger': give at least two" in _error(capsys, *ck, "--classes", "anger")


def _passed_on(monkeypatch, name, *words):
    """Return what `evaluate` passes to the loader of a set, besides what all get."""
    passed = {}
    real = DATASETS[name].loader

    @functools.wraps(real)
    def loader(root, *, image_size, cache_dir, on_error, verbose, n_jobs, **own):
        passed.update(own)
        return make_expressions(2, 1, image_size=16)

    monkeypatch.setitem(_protocols.DATASETS, name, replace(DATASETS[name], loader=loader))
    load_faces(_arguments("--dataset", name, "--root", ".", *words))
    return passed


PASSED_ON = [
    ("ck+", ["--align"], {"align": True}),
    ("ck+", ["--no-align"], {"align": False}),
    ("affectnet", ["--align"], {"align": "landmarks"}),
    ("affectnet", ["--align", "box"], {"align": "box"}),
    ("affectnet", ["--no-align"], {"align": False}),
    ("raf-db", ["--no-align"], {"align": False}),
    ("sfew", ["--align"], {"align": True}),
    ("jaffe", ["--crop", "0.1", "0", "0.9", "1"], {"align": (0.1, 0.0, 0.9, 1.0)}),
    ("jaffe", ["--no-crop"], {"align": False}),
    ("fer+", ["--classes", "angry", "fear"], {"classes": ("anger", "fear")}),
    ("sfew", [], {}),
]


@pytest.mark.parametrize(("name", "words", "passed"), PASSED_ON)
def test_options_are_passed_to_loaders(monkeypatch, name, words, passed):
    assert _passed_on(monkeypatch, name, *words) == passed


def test_crops_and_alignments_that_cannot_be(tmp_path, capsys):
    jaffe, ck = _copy(tmp_path, "jaffe"), _copy(tmp_path, "ck+")
    crop = ["--crop", "0.9", "0", "0.1", "1"]
    assert "--align (0.9, 0.0, 0.1, 1.0) is not a part" in _error(capsys, *jaffe, *crop)
    assert "--align box does not belong to --dataset ck+" in _error(capsys, *ck, "--align", "box")
    shutil.rmtree(tmp_path / "ck+" / "Landmarks")
    assert "or give --no-align to take whole frames" in _error(capsys, *ck, "--align")


def test_folds_belong_to_group_fold(tmp_path, capsys):
    said = _error(capsys, *_copy(tmp_path, "jaffe"), "--folds", "5")
    assert "--folds belongs to --protocol group-fold, and this is leave-one-subject-out" in said


FOREIGN = [
    ("--frames", "jaffe", "3"),
    ("--neutral-first", "bu3dfe"),
    ("--intensities", "ck+", "3", "4"),
    ("--group-pattern", "raf-db", "x"),
    ("--labels", "fer2013", "labels.csv"),
    ("--frames", "synthetic", "all"),
    ("--group-pattern", "table", "x"),
    ("--group-column", "folder", "person"),
    ("--label-column", "jaffe", "emotion"),
    ("--labels", "synthetic", "labels.csv"),
    ("--align", "jaffe"),
    ("--no-align", "fer2013"),
    ("--crop", "ck+", "0", "0", "1", "1"),
    ("--no-crop", "folder"),
    ("--root", "synthetic", "faces"),
    ("--skip-bad", "synthetic"),
]


@pytest.mark.parametrize("option", ["--root", "--group-column", "--file-column"])
def test_options_without_a_data_set_are_refused(capsys, option):
    assert cli.main(["evaluate", "--quiet", option, "x"]) == cli.FAILED
    assert f"{option} needs --dataset NAME or --labels CSV" in capsys.readouterr().err


def _told_about_json(path, capsys):
    """Call `evaluate` with a place that it must refuse before it loads anything."""
    assert cli.main(["evaluate", "--quiet", "--json", str(path)]) == cli.FAILED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"--json {path}" in captured.err
    return captured.err


def test_json_that_cannot_be_written_is_told_at_once(capsys, tmp_path, monkeypatch):
    assert "is a folder" in _told_about_json(tmp_path, capsys)
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "none" / "x.json")
    assert f"there is no folder {tmp_path / 'none'}" in _told_about_json(link, capsys)

    def refuse(dir):  # as for a user who may not write there; root may
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_output.tempfile, "TemporaryFile", refuse)
    file = tmp_path / "x.json"
    file.write_text("writable, in a folder that is not")
    assert f"no file can be made in {tmp_path} (Permission" in _told_about_json(file, capsys)
    monkeypatch.setattr(_output.os, "access", lambda path, mode: False)
    assert "write-protected" in _told_about_json(file, capsys)


def test_json_follows_links(tmp_path):
    real, link = tmp_path / "real" / "x.json", tmp_path / "link.json"
    real.parent.mkdir()
    link.symlink_to(real)
    _output.check_writable(link)
    _output.write_json(link, {"a": 1})
    _output.write_json(link, {"a": 2})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"a": 2}
    assert [path.name for path in real.parent.iterdir()] == ["x.json"]


def test_json_into_a_pipe_leaves_the_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    _output.check_writable(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _output.write_json(pipe, {"a": 1})
        assert json.loads(os.read(reader, 1000)) == {"a": 1}
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_json_that_fails_at_the_end_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"--json .*x\.json could not be written: No such file"):
        _output.write_json(tmp_path / "gone" / "x.json", {})


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_json_on_standard_output(capfd, name):
    assert cli.main(["evaluate", *QUICK, "--image-size", "24", "--json", name]) == 0
    captured = capfd.readouterr()
    assert len(json.loads(captured.out)["folds"]) == 10
    assert "48 faces of 8 expressions" in captured.err
    assert "multi-threshold" in captured.err


@pytest.mark.parametrize(("option", "name", "values"), [(o, n, v) for o, n, *v in FOREIGN])
def test_options_of_other_sets_are_refused(capsys, option, name, values):
    root = [] if option == "--skip-bad" else ["--root", "nowhere"]
    call = ["evaluate", "--quiet", "--dataset", name, *root, option, *values]
    assert cli.main(call) == cli.FAILED
    said = capsys.readouterr().err
    assert f"{option} does not belong to --dataset {name}" in said
    if option == "--frames":
        assert f"{name} (but to ck+, mmi): leave it out" in said


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fer2013", "different images"), ("fer+", "different images"), ("sfew", "films")],
)
@pytest.mark.parametrize("protocol", ["subject-10fold", "leave-one-subject-out"])
def test_groups_that_are_no_subjects(tmp_path, name, kind, protocol):
    COPIES[name][0](tmp_path)
    faces = load_faces(
        _arguments("--dataset", name, "--root", str(tmp_path), "--protocol", protocol)
    )
    with pytest.raises(ValueError, match=f"{protocol} needs subjects, .* are {kind}"):
        make_splits(faces, None, 0)


def test_copies_across_folds_without_groups_are_refused(tmp_path):
    names = [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(6)]
    for i, name in enumerate(names):
        trees.picture(tmp_path / name, (16, 16), seed=i)
    call = ["--dataset", "folder", "--root", str(tmp_path)]
    assert len(_evaluate(*call)[1]) == 3
    for i in range(1, 6):  # all of one class alike: some are in every fold
        trees.picture(tmp_path / f"sad/{i}.png", (16, 16), seed=6)
    with pytest.raises(ValueError, match=r"leaks.*\n.*identical image, such as .*sad/"):
        _evaluate(*call)


def test_what_an_official_split_shares_is_told(tmp_path):
    rows = [(3, 7, "Training"), (3, 9, "Training"), (3, 7, "PrivateTest"), (0, 9, "PrivateTest")]
    trees.fer2013(tmp_path / "fer", rows)
    with pytest.warns(UserWarning, match=r"training and test alike: 2 identical images\. It"):
        _, splits = _evaluate("--dataset", "fer2013", "--root", str(tmp_path / "fer"))
    assert [side.tolist() for side in splits[0]] == [[0, 1], [2, 3]]
    names = ["Train/Angry/A_000519240_00000005.png", "Val/Sad/a_000519241_00000005.png"]
    for i, name in enumerate(names):
        trees.picture(tmp_path / "sfew" / name, (16, 16), seed=i)
    with pytest.warns(UserWarning, match=r"training and test alike: 1 films\. It"):
        _evaluate("--dataset", "sfew", "--root", str(tmp_path / "sfew"))


def test_pictures_are_read_by_the_wanted_threads(monkeypatch):
    called = {}

    def loader(root, *, n_jobs, **options):
        called["n_jobs"] = n_jobs
        return make_expressions(2, 1, image_size=16)

    monkeypatch.setitem(_protocols.DATASETS, "jaffe", replace(DATASETS["jaffe"], loader=loader))
    load_faces(_arguments("--dataset", "jaffe", "--root", ".", "--n-jobs", "3"))
    assert called == {"n_jobs": 3}


def test_exit_codes_are_told():
    codes = (0, cli.INCOMPLETE, cli.FAILED, cli.BROKEN, cli.INTERRUPTED, cli.READER_GONE)
    told = EPILOG[EPILOG.index("Exit codes") :]
    assert all(f" {code} " in told for code in codes)


def test_examples_are_calls():
    text = EPILOG.replace("\\\n", "")
    calls = [shlex.split(line) for line in text.splitlines() if line.startswith("    skfer ")]
    assert len(calls) == 7
    for _, *words in calls:
        arguments = make_parser(cli.run_evaluate, cli.run_check).parse_args(words)
        _protocols._own_options(_protocols._name(arguments), arguments)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("CK+", "ck+"),
        ("ckplus", "ck+"),
        ("RAF_DB", "raf-db"),
        ("BU-3DFE", "bu3dfe"),
        ("FER+", "fer+"),
    ],
)
def test_names_of_sets_in_any_spelling(typed, name):
    assert _arguments("--dataset", typed).dataset == name
    assert (
        make_parser(cli.run_evaluate, cli.run_check)
        .parse_args(["datasets", "check", typed, "."])
        .name
        == name
    )


@pytest.mark.parametrize("call", [["evaluate", "--dataset"], ["datasets", "check"]])
def test_names_that_are_near(capsys, call):
    with pytest.raises(SystemExit):
        cli.main([*call, "afectnet", "."])
    said = capsys.readouterr().err
    assert "'afectnet' is unknown: did you mean affectnet? Give " in said
    assert len(said.splitlines()) == 2
    with pytest.raises(SystemExit):
        cli.main([*call, "zzz", "."])
    assert "'zzz' is unknown: Give " in capsys.readouterr().err


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_progress_is_shown_on_a_terminal(faces_on_disk, capsys, monkeypatch, terminal, quiet):
    monkeypatch.setattr(_protocols.sys.stderr, "isatty", lambda: terminal)
    words = [word for word in _table(faces_on_disk, *QUICK) if word != "--quiet"]
    assert cli.main([*words, "--quiet"] if quiet else words) == 0
    said = capsys.readouterr().err
    if terminal and not quiet:
        assert "decoding: 100%" in said
        assert "training: " in said
    else:
        assert said == ""


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
