"""`skfer predict` that is broken off: what was done is told, and no file is lost."""

import csv
import json

import pytest
from helpers.calls import pictures_in

from skfer.cli import _predict, main
from skfer.cli.exit_codes import FAILED, INTERRUPTED


def test_predict_keeps_what_is_done_on_ctrl_c(smile, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_predict, "_CHUNK", 4)
    read, n_read = _predict._read_all, []

    def broken_off(reader, names, n_jobs):
        if n_read:
            raise KeyboardInterrupt
        n_read.extend(names)
        return read(reader, names, n_jobs)

    monkeypatch.setattr(_predict, "_read_all", broken_off)
    path = tmp_path / "x.csv"
    call = ["predict", str(smile), str(folder), "--quiet"]
    assert main([*call, "--csv", str(path)]) == INTERRUPTED
    said = capsys.readouterr()
    assert "written are 4 of 12 pictures.\n" in said.err
    assert [line.split()[0] for line in said.out.splitlines()] == n_read
    with path.open() as file:
        assert [row["file"] for row in csv.DictReader(file)] == n_read
    n_read.clear()
    assert main(call) == INTERRUPTED
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == n_read
    assert "told are 4 of 12 pictures.\n" in said.err


@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt(), INTERRUPTED), (MemoryError(), FAILED)]
)
def test_a_whole_file_does_not_give_way_to_a_part(
    smile, folder, tmp_path, monkeypatch, capsys, stop, code
):
    path, first = tmp_path / "x.csv", pictures_in(folder)[0]
    path.write_text("whole\n")

    def broken_off(*data):
        yield {"file": first, "face": -1, "box": None, "score": None, "label": None} | {
            "probability": None,
            "probabilities": None,
            "error": "none",
        }
        raise stop

    monkeypatch.setattr(_predict, "predictions", broken_off)
    call = ["predict", str(smile), str(folder), "--csv", str(path), "--json", "-", "--quiet"]
    assert main(call) == code
    said = capsys.readouterr()
    assert [row["file"] for row in json.loads(said.out)] == [first]
    assert path.read_text() == "whole\n"
    part = tmp_path / "x.part.csv"
    assert [row["file"] for row in csv.DictReader(part.read_text().splitlines())] == [first]
    told = f"written are 1 of 12 pictures; {path} is as it was, and {part} has these."
    assert said.err.splitlines()[0] == f"skfer: warning: {told}"
