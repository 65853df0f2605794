"""`skfer evaluate` keeps its fits: none is computed twice, or lost."""

import errno
import json
import os

import pytest
from helpers.calls import PCA, SMALL, accuracies_in

from skfer.cli import _evaluate, _stage, main
from skfer.cli.exit_codes import FAILED, INTERRUPTED


def test_the_same_call_computes_nothing_twice(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    call = ["evaluate", *SMALL, "--json", str(path)]
    assert main(call) == 0
    before = path.read_text()
    path.unlink()
    monkeypatch.setattr("skfer.evaluation._comparison.run_task", None)  # not called any more
    assert main(call) == 0
    assert path.read_text() == before


def test_results_where_one_likes(tmp_path):
    results = tmp_path / "fits"
    assert main(["evaluate", *SMALL, "--results", str(results)]) == 0
    assert len(results.read_text().splitlines()) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["fits"]


def test_results_in_a_foreign_file_are_refused(tmp_path, capsys):
    results = tmp_path / "labels.csv"
    results.write_text("file,label\n")
    assert main(["evaluate", *SMALL, "--results", str(results)]) == FAILED
    assert f"--results '{results}' is no file of fits" in capsys.readouterr().err
    assert results.read_text() == "file,label\n"


@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt(), INTERRUPTED), (OSError("gone"), FAILED)]
)
def test_what_was_done_is_kept_when_the_rest_fails(tmp_path, monkeypatch, capsys, stop, code):
    whole = _evaluate.compare

    def broken(*data, **options):
        fits = whole(*data, **options)
        yield from (next(fits), next(fits), next(fits))
        raise stop

    path = tmp_path / "x.json"
    call = ["evaluate", *SMALL, "--json", str(path)]
    with monkeypatch.context() as patch:
        patch.setattr(_evaluate, "compare", broken)
        assert main(call) == code
    captured = capsys.readouterr()
    assert "pca" in captured.out
    assert f"3 of 4 fits are done: they are in {tmp_path / 'x.fits.jsonl'}" in captured.err
    record = json.loads(path.read_text())
    assert not record["complete"]
    assert len(record["folds"]) == 3
    assert main(call) == 0
    assert len((tmp_path / "x.fits.jsonl").read_text().splitlines()) == 4
    assert json.loads(path.read_text())["complete"]
    assert (
        accuracies_in(path)[:2]
        == [(f["method"], f["fold"], f["accuracy"]) for f in record["folds"]][:2]
    )


def test_two_calls_do_not_write_the_same_numbers(tmp_path, monkeypatch, capsys):
    """The second is told at once; several may share a file of fits that is given."""
    path, fits = tmp_path / "x.json", tmp_path / "x.fits.jsonl"
    call = ["evaluate", *PCA, "--image-size", "16", "--json", str(path)]
    whole = _evaluate._prepare

    def while_another_runs(arguments):
        with monkeypatch.context() as patch:
            patch.setattr(_evaluate, "_prepare", None)
            assert main(call) == FAILED
        assert fits.exists()
        return whole(arguments)

    monkeypatch.setattr(_evaluate, "_prepare", while_another_runs)
    assert main(call) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        f"skfer: error: --json: another call is writing {fits}: wait for it, or give another file."
    )
    monkeypatch.setattr(_evaluate, "_prepare", whole)
    with _stage.held(fits, "json"):
        assert main([*call, "--results", str(fits)]) == 0


def test_a_call_that_fails_leaves_no_empty_file(tmp_path, monkeypatch):
    monkeypatch.setattr(_evaluate, "load_faces", lambda _: int("none"))
    assert main(["evaluate", *PCA, "--json", str(tmp_path / "x.json")]) == FAILED
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_calls_go_on(tmp_path, monkeypatch, number):
    def refuse(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_stage, "_lock", refuse)
    with _stage.held(tmp_path / "x.fits.jsonl", "json"):
        assert (tmp_path / "x.fits.jsonl").exists()
    with _stage.held(tmp_path, "json"):  # which is told elsewhere
        pass
