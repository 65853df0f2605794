"""What options say, and what they refuse."""

import shlex

import pytest
from helpers.calls import parsed

from skfer.cli import _faces, exit_codes, main
from skfer.cli.exit_codes import FAILED
from skfer.cli.options import _values, make_parser
from skfer.cli.options._evaluate import EPILOG

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
        main(["evaluate", option, value])
    assert caught.value.code == FAILED
    said = capsys.readouterr().err
    assert f"argument {option}: " in said
    assert value in said.splitlines()[-1]
    assert "_" not in said.splitlines()[-1]


def test_exit_codes_are_told():
    codes = [0, *(code for name, code in vars(exit_codes).items() if name.isupper())]
    assert len(codes) == 9
    told = " ".join(EPILOG[EPILOG.index("Exit codes") :].split())
    assert all(f" {code} " in told for code in codes)


def test_examples_are_calls():
    text = EPILOG.replace("\\\n", "")
    calls = [shlex.split(line) for line in text.splitlines() if line.startswith("    skfer ")]
    assert len(calls) == 7
    for _, *words in calls:
        arguments = make_parser().parse_args(words)
        name = arguments.dataset or ("table" if arguments.labels else "synthetic")
        _faces.own_options(name, arguments)


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
    assert parsed("--dataset", typed).dataset == name
    assert make_parser().parse_args(["datasets", "check", typed, "."]).name == name


LEARNING = {
    "evaluate": ["evaluate"],
    "train": ["train", "-o", "x.skfer"],
    "report": ["report", "x.skfer", "-o", "x.html"],
}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train", ("--subgroup-column", "skin")),
        ("report", ("--subgroup-column", "skin")),
        ("report", ("--image-size", "48")),
        ("report", ("--color",)),
    ],
)
def test_what_would_do_nothing_is_not_offered(capsys, command, words):
    with pytest.raises(SystemExit) as caught:
        main([*LEARNING[command], *words])
    assert caught.value.code == FAILED
    assert f"unrecognized arguments: {' '.join(words)}" in capsys.readouterr().err
    assert make_parser().parse_args([*LEARNING["evaluate"], *words])


@pytest.mark.parametrize("command", LEARNING)
def test_a_table_is_known_by_every_command_that_learns(command):
    columns = ["--file-column", "path", "--label-column", "mood", "--group-column", "who"]
    arguments = make_parser().parse_args([*LEARNING[command], "--labels", "x.csv", *columns])
    arguments.color = None
    assert _faces.own_options("table", arguments) == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--embedders", ""], "nothing is named: give some of pca"),
        (["--embedders", " , "], "nothing is named"),
    ],
)
def test_no_name_is_not_all_names(capsys, words, told):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *words])
    assert caught.value.code == FAILED
    assert told in capsys.readouterr().err


def test_an_option_that_is_given_twice_loses_nothing():
    twice = ["--classes", "anger", "--classes", "fear", "joy", "--subset", "train"]
    twice += ["--subset", "test", "--class-names", "a=fear", "--class-names", "b=anger"]
    twice += ["--intensities", "1", "--intensities", "3", "--embedders", "pca", "--embedders"]
    given = parsed(*twice, "gaussian,cross-entropy")
    assert given.classes == ["anger", "fear", "joy"]
    assert given.subset == ["train", "test"]
    assert given.class_names == [("a", "fear"), ("b", "anger")]
    assert given.intensities == [1, 3]
    assert given.embedders == ["pca", "gaussian", "cross-entropy"]
    read = make_parser().parse_args
    for command in ("export", "report"):
        before = [command, "--trusted", "a.B", "--trusted", "c.D, e.F", "m.skfer"]
        given = read([*before, *(["--onnx", "x.onnx"] if command == "export" else ["-o", "x"])])
        assert (given.trusted, str(given.model)) == (["a.B", "c.D", "e.F"], "m.skfer")
    assert read(["export", "--onnx", "x.onnx"]).trusted == []


@pytest.mark.parametrize("given", ["", "a.B,,c.D", ","])
def test_names_that_are_trusted_are_names(given, capsys):
    with pytest.raises(SystemExit):
        main(["export", "m.skfer", "--onnx", "x.onnx", "--trusted", given])
    assert "argument --trusted: give names with commas between them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--results", "/dev/null"], "--results /dev/null is no place for a file"),
        (["--results", "nowhere/x.jsonl"], "--results nowhere/x.jsonl: there is no folder"),
        (["--results", "."], "--results . is a folder"),
    ],
)
def test_results_are_checked_before_a_fit(capsys, monkeypatch, words, told):
    monkeypatch.setattr("skfer.cli._evaluate._prepare", None)
    assert main(["evaluate", "--quiet", *words]) == FAILED
    assert told in capsys.readouterr().err


def test_a_foreign_file_of_results_is_told_before_faces_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skfer.cli._evaluate._prepare", None)
    (tmp_path / "x.fits.jsonl").write_text("file,label\n")
    for option, name in (("--results", "x.fits.jsonl"), ("--json", "x.json")):
        assert main(["evaluate", "--quiet", option, str(tmp_path / name)]) == FAILED
        said = capsys.readouterr().err
        assert f"--results '{tmp_path / 'x.fits.jsonl'}' is no file of fits" in said


def test_pca_predicts_nothing_by_itself(capsys, monkeypatch):
    monkeypatch.setattr("skfer.cli._evaluate.load_faces", None)
    call = ["evaluate", "--embedders", "gaussian,pca", "--classifier", "own", "--quiet"]
    assert main(call) == FAILED
    assert capsys.readouterr().err == (
        "skfer: error: --classifier own: pca has no prediction of its own: leave it out of "
        "--embedders, or give another --classifier.\n"
    )


def test_one_name_for_a_class(tmp_path, capsys):
    call = ["--dataset", "folder", "--root", str(tmp_path), "--class-names", "a=fear", "a=anger"]
    assert main(["evaluate", "--quiet", *call]) == FAILED
    assert "--class-names gives a two names: give one" in capsys.readouterr().err


def test_negatives_belong_to_triplet_center(capsys):
    call = ["evaluate", "--embedders", "pca,gaussian", "--negatives", "nearest", "--quiet"]
    assert main(call) == FAILED
    said = capsys.readouterr().err
    assert "--negatives belongs to triplet-center alone: leave it out, or name" in said
    assert said.endswith("in --embedders.\n")


@pytest.mark.parametrize(
    "words", [["--epochs", "3"], ["--start", "large"], ["--device", "cpu"], ["--label-noise"]]
)
def test_what_is_about_networks_needs_one(capsys, words):
    assert main(["evaluate", "--embedders", "pca", "--quiet", *words]) == FAILED
    said = capsys.readouterr().err
    assert f"{words[0]} is about networks, and --embedders pca has none: leave it out" in said


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("--detect",), ("--no-detect",)),
        (("--no-detect",), ("--detect",)),
        (("--no-detect",), ("--detector", "dlib")),
        (("--detector", "dlib"), ("--no-detect",)),
        (("--detector", "dlib"), ("--detect",)),
    ],
)
@pytest.mark.parametrize("call", [["predict", "x.png"], *LEARNING.values()])
def test_faces_are_looked_for_in_one_way(capsys, call, first, second):
    with pytest.raises(SystemExit) as caught:
        main([*call, *first, *second])
    assert caught.value.code == FAILED
    said = capsys.readouterr().err
    assert f"argument {second[0]}: not allowed with argument {first[0]}" in said


@pytest.mark.parametrize("call", [["evaluate", "--dataset"], ["datasets", "check"]])
def test_names_that_are_near(capsys, call):
    with pytest.raises(SystemExit):
        main([*call, "afectnet", "."])
    said = capsys.readouterr().err
    assert "'afectnet' is unknown: did you mean affectnet? Give " in said
    assert len(said.splitlines()) == 2
    with pytest.raises(SystemExit):
        main([*call, "zzz", "."])
    assert "'zzz' is unknown: give " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("quota", "jobs"), [("max 100000", 3), ("150000 100000", 2), ("10 100000", 1), (None, 3)]
)
def test_as_many_jobs_as_a_container_may_run(tmp_path, monkeypatch, quota, jobs):
    monkeypatch.setattr(_values.os, "sched_getaffinity", lambda process: {4, 5, 9}, raising=False)
    monkeypatch.setattr(_values, "_QUOTA", tmp_path / "cpu.max")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert _values.usual_jobs() == jobs
