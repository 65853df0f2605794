"""Exit codes, and words that help."""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures.process import BrokenProcessPool
from pickle import PicklingError

import pytest
from helpers import trees
from helpers.calls import QUICK, SHORT, TRAINED, refused, table_call

from skfer.cli import _evaluate, _main, _report, _train, main
from skfer.cli._errors import in_options
from skfer.cli.exit_codes import BROKEN, FAILED, INTERRUPTED, READER_GONE
from skfer.cli.options import make_parser
from skfer.exceptions import ArgumentError

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
    assert main(["evaluate", "--quiet", "--n-jobs", "1", *arguments]) == FAILED
    err = capsys.readouterr().err
    assert err.startswith("skfer: error: ")
    assert message in err
    assert "Traceback" not in err


def test_missing_columns_are_told_by_their_options(faces_on_disk, capsys):
    table = str(faces_on_disk / "labels.csv")
    both = refused(capsys, "--labels", table)
    assert both.endswith("Give --file-column and --label-column.\n")
    assert "no column 'file', 'label'; its columns are 'path', 'emotion', 'person'." in both
    columns = ["--file-column", "path", "--label-column", "mood", "--group-column", "who"]
    two = refused(capsys, "--labels", table, *columns)
    assert two.endswith("Give --label-column and --group-column.\n")


def test_errors_name_options_and_not_parameters(tmp_path, capsys):
    trees.folder(tmp_path / "faces", ["happy/a.png", "sad/b.png"])
    trees.folder(tmp_path / "faces", ["happy/c.png"], size=(6, 6))
    trees.spoil(tmp_path / "faces" / "sad" / "b.png", "empty")
    call = ["--dataset", "folder", "--root", str(tmp_path / "faces")]
    bad = refused(capsys, *call)
    assert "b.png: an empty file" in bad
    assert bad.endswith("or give --skip-bad to leave them out.\n")
    assert "--group-pattern '(' is not a regular" in refused(capsys, *call, "--group-pattern", "(")
    assert "--root 'root=x' does not" in refused(capsys, *call[:2], "--root", "root=x")
    missing = tmp_path / "none" / "x.csv"
    assert f"--labels {missing}: there is no such file" in refused(capsys, "--labels", str(missing))
    assert "--image-size must be a whole number of at least 16 and of at most 1024" in refused(
        capsys, "--image-size", "2000"
    )


def test_a_cache_that_is_no_folder(faces_on_disk, capsys):
    table = str(faces_on_disk / "labels.csv")
    assert f"--cache-dir {table} is a file: give a folder." in refused(
        capsys, *table_call(faces_on_disk)[1:], "--cache-dir", table
    )


def test_copies_are_kept_where_that_is_wanted(tmp_path, capsys):
    for i in range(6):
        trees.picture(tmp_path / f"happy/{i}.png", (16, 16), seed=i)
        trees.picture(tmp_path / f"sad/{i}.png", (16, 16), seed=9)
    call = ["evaluate", "--dataset", "folder", "--root", str(tmp_path), "--image-size", "16"]
    assert main([*call, "--embedders", "pca", "--folds", "2", "--duplicates", "keep"]) == 0
    assert "identical images, of which later copies are kept (5)" in capsys.readouterr().err


def test_what_the_system_refuses_is_told(monkeypatch, capsys):
    def refuse(arguments):
        raise PermissionError(13, "Permission denied", "/faces/happy")

    monkeypatch.setattr(_evaluate, "load_faces", refuse)
    assert refused(capsys) == "skfer: error: cannot use '/faces/happy': Permission denied.\n"


def _broken(capsys, monkeypatch, error):
    """Return the exit code and what is said when an error comes from nowhere."""

    def fail(arguments):
        raise error

    monkeypatch.setattr(_evaluate, "load_faces", fail)
    return main(["evaluate"]), capsys.readouterr().err


def test_faults_of_skfer_itself(capsys, monkeypatch):
    code, said = _broken(capsys, monkeypatch, TypeError("who am I?"))
    assert code == BROKEN
    assert "Traceback" in said
    assert "TypeError: who am I?" in said
    assert said.endswith("please report it with the lines above\n")


MACHINE = [
    (MemoryError("400 GiB"), ("not enough memory (400 GiB): give a smaller --image-size",)),
    (MemoryError(), ("error: not enough memory: give",)),
    (BrokenProcessPool("killed"), ("was killed", "--n-jobs 1", "--cache-dir")),
    (OSError(28, "No space left on device"), ("No space left on device: make room where it is",)),
    (PermissionError(13, "Permission denied", "/a/b"), ("cannot use '/a/b': Permission denied.",)),
    (OSError(28, "No space left on device", "/a/b"), ("cannot use '/a/b': No space left",)),
    (PicklingError("Could not pickle"), ("side by side: Could not pickle.", "--n-jobs 1")),
]


@pytest.mark.parametrize(("error", "words"), MACHINE)
def test_errors_of_the_machine(capsys, monkeypatch, error, words):
    code, said = _broken(capsys, monkeypatch, error)
    assert code == FAILED
    assert said.startswith("skfer: error: ")
    assert all(word in said for word in words)
    assert "Traceback" not in said


def test_less_memory_for_a_report_is_not_by_smaller_pictures(capsys, monkeypatch):
    """Those of a report are as large as the model takes them."""

    def fail(arguments):
        raise MemoryError

    monkeypatch.setattr(_report, "run", fail)
    assert main(["report", "x.skfer", "-o", "x.html"]) == FAILED
    assert capsys.readouterr().err == (
        "skfer: error: not enough memory: give a smaller --max-per-class, or keep the pictures on "
        "disk by --cache-dir.\n"
    )


def test_places_that_may_be_full_are_named(capsys, monkeypatch, tmp_path):
    def fail(arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_evaluate, "load_faces", fail)
    said = refused(capsys, "--cache-dir", str(tmp_path), "--results", str(tmp_path / "fits"))
    assert f"--cache-dir {tmp_path} and --results {tmp_path / 'fits'}" in said


def test_what_processes_share_cannot_be_written(capsys, monkeypatch, tmp_path):
    folder = tmp_path / "temporary"
    folder.write_text("no folder")
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(folder))
    some = ["--embedders", "pca", "--folds", "2", "--quiet", "--n-jobs", "2"]
    assert main(["evaluate", *some]) == FAILED
    said = capsys.readouterr().err
    assert "trainings cannot run side by side: NotADirectoryError" in said
    assert f"{folder} (JOBLIB_TEMP_FOLDER)" in said
    assert "--n-jobs 1" in said
    assert "0 of 2 fits are done" in said


def test_messages_are_of_a_readable_length(capsys, monkeypatch):
    error = ValueError(f"X has {'9 ' * 40_000}: give something else.")
    code, said = _broken(capsys, monkeypatch, error)
    assert code == FAILED
    assert len(said) < 2100
    assert said.endswith("give something else.\n")


def test_a_list_of_what_is_to_be_mended_is_not_cut(capsys, monkeypatch):
    pairs = [f"  {i:03d}.png (anger) and copy of {i:03d}.png (anger)" for i in range(300)]
    _, said = _broken(capsys, monkeypatch, ValueError("\n".join(["pairs:", *pairs[:100], "mend"])))
    assert said.splitlines() == ["skfer: error: pairs:", *pairs[:100], "mend"]
    _, said = _broken(capsys, monkeypatch, ValueError("\n".join(["pairs:", *pairs, "mend"])))
    assert said.splitlines() == ["skfer: error: pairs:", *pairs[:99], "  ...", *pairs[-99:], "mend"]


def _commands(parser):
    """Yield the parsers of all commands, and of what they are divided into."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield one
                yield from _commands(one)


def test_what_stands_without_an_option_is_not_told_as_one():
    told = {}
    for parser in _commands(make_parser()):
        names = [action.dest for action in parser._actions]
        known = dict.fromkeys(names, None) | {"command": parser.prog.split()[1]}
        for action in parser._actions:
            if not (action.option_strings or isinstance(action, argparse._SubParsersAction)):
                error = ArgumentError(f"{{{action.dest}}} is wrong.")
                told[parser.prog, action.dest] = in_options(error, argparse.Namespace(**known))
    assert told["skfer export", "model"] == told["skfer report", "model"] == "MODEL is wrong."
    assert [text for text in told.values() if not text.split()[0].isupper()] == []


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_a_model_before_pictures_is_told_as_help_calls_it(command):
    call = argparse.Namespace(command=command, places=[])
    assert in_options(ArgumentError("{model} is wrong."), call) == "MODEL is wrong."


def test_names_to_be_trusted_are_told_as_they_are_typed():
    call = argparse.Namespace(command="export", trusted=[])
    error = ArgumentError("give {trusted=['a.B', 'c.D']}.")
    assert in_options(error, call) == "give --trusted 'a.B','c.D'."


def test_control_characters_do_not_reach_the_terminal(capsys, monkeypatch):
    _, said = _broken(capsys, monkeypatch, ValueError("a\x1b[2Jb\x07\x9bc\tü"))
    assert said == "skfer: error: a\\x1b[2Jb\\x07\\x9bc\tü\n"


def test_interrupt(monkeypatch, capsys):
    def stop(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_evaluate, "load_faces", stop)
    assert main(["evaluate"]) == INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def test_the_command_is_installed():
    run = subprocess.run(
        [sys.executable, "-m", "skfer", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("skfer ")


def test_too_little_to_train_on(tmp_path, capsys):
    trees.folder(tmp_path / "one", ["happy/a.png", "happy/b.png", "unlabeled/c.png"])
    trees.folder(tmp_path / "none", ["unlabeled/c.png"])
    trees.folder(tmp_path / "few", [f"{word}/{i}.png" for word in ("happy", "sad") for i in "123"])
    call = ["--dataset", "folder", "--image-size", "16", "--root"]
    one = refused(capsys, *call, str(tmp_path / "one"))
    assert "all 2 images are of one class, 'happiness': give at least two" in one
    for more in ([], ["--max-per-class", "2"]):
        assert "no image has a label" in refused(capsys, *call, str(tmp_path / "none"), *more)
    few = refused(capsys, *call, str(tmp_path / "few"))
    assert "fold 0 has 4 images to train on, and --classifier knn needs 5" in few


def test_subjects_are_needed_by_their_protocols(faces_on_disk, capsys):
    call = table_call(faces_on_disk, *SHORT)
    del call[call.index("--group-column") : call.index("--group-column") + 2]
    assert main([*call, "--protocol", "subject-10fold"]) == FAILED
    assert "needs subjects" in capsys.readouterr().err


def test_folds_belong_to_group_fold(capsys):
    said = refused(capsys, "--protocol", "leave-one-subject-out", "--folds", "5")
    assert "--folds belongs to --protocol group-fold, and this is leave-one-subject-out" in said


@pytest.mark.filterwarnings("default::skfer.datasets.DatasetWarning")
def test_what_is_left_out_is_told_in_a_line(tmp_path, capsys):
    trees.noise(tmp_path, [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(8)])
    for name in ("happy/7.png", "sad/6.png"):
        trees.spoil(tmp_path / name, "empty")
    call = ["--dataset", "folder", "--root", str(tmp_path), "--image-size", "16", "--skip-bad"]
    assert main(["evaluate", *call, *QUICK]) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        "skfer: warning: 2 of 16 files cannot be used: happy/7.png: an empty file; "
        "sad/6.png: an empty file. They are left out."
    )


LIGHT = [
    (["--help"], 0),
    (["--version"], 0),
    (["evaluate", "--help"], 0),
    (["train", "--help"], 0),
    (["predict", "--help"], 0),
    (["embed"], 2),
    ([], 2),
    (["evaluat"], 2),
    (["evaluate", "--seed", "x"], 2),
    (["evaluate", "--dataset", "afectnet"], 2),
    (["datasets", "check", "afectnet", "."], 2),
]


@pytest.mark.parametrize(("words", "code"), LIGHT)
def test_nothing_heavy_is_imported_before_a_command_runs(words, code):
    heavy = ("torch", "sklearn", "numpy", "scipy", "PIL", "joblib", "skorch")
    program = (
        "import sys\nfrom skfer.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n    code = end.code\n"
        f"print(*[name for name in {heavy!r} if name in sys.modules], code, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stderr.splitlines()[-1] == str(code)


def test_no_folder_for_temporary_files(capsys, monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    code, said = _broken(capsys, monkeypatch, FileNotFoundError(2, "No usable temporary directory"))
    assert code == FAILED
    told = "no folder for temporary files: set TMPDIR to one that can be written"
    assert said == f"skfer: error: there is {told}.\n"
    code, said = _broken(capsys, monkeypatch, PicklingError("Could not pickle"))
    assert f"They need room in /dev/shm and {told}: make some" in said


def test_pictures_are_drawn_into_files_alone(monkeypatch):
    """Whatever a notebook has set for those that it starts."""
    seen = []
    monkeypatch.setenv("MPLBACKEND", "module://none.of.this.place")
    monkeypatch.setattr(
        _evaluate, "run", lambda arguments: seen.append(os.environ["MPLBACKEND"]) or 0
    )
    assert main(["evaluate"]) == 0
    assert seen == ["Agg"]
    assert os.environ["MPLBACKEND"] == "module://none.of.this.place"
    monkeypatch.delenv("MPLBACKEND")
    assert main(["evaluate"]) == 0
    assert "MPLBACKEND" not in os.environ


def test_a_model_is_trained_though_nobody_reads_the_first_line(tmp_path):
    path = tmp_path / "smile.skfer"
    call = [sys.executable, "-m", "skfer", "train", *TRAINED, "-o", str(path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait() == READER_GONE
    assert path.exists()


def test_a_model_is_kept_before_a_word_is_said_of_it(monkeypatch, tmp_path):
    """Whoever reads the words may be gone, as after `skfer train ... | head -1`."""
    path = tmp_path / "smile.skfer"

    def say(text):
        if text.startswith("trained in "):
            raise BrokenPipeError

    monkeypatch.setattr(_train, "say", say)
    monkeypatch.setattr(_main, "_reader_gone", lambda: READER_GONE)
    assert main(["train", *TRAINED, "-o", str(path)]) == READER_GONE
    assert path.exists()
