"""Where numbers go: files, pipes, standard output."""

import argparse
import io
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.calls import PCA, QUICK

from skfer.cli import _output, _predict, main
from skfer.cli._errors import explain
from skfer.cli.exit_codes import FAILED
from skfer.exceptions import ArgumentError


def _told_about_json(path, capsys):
    """Call `evaluate` with a place that it must refuse before it loads anything."""
    assert main(["evaluate", "--quiet", "--json", str(path)]) == FAILED
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


@pytest.mark.parametrize("option", ["--output", "--onnx"])
def test_what_is_no_file_is_not_replaced(tmp_path, option):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, Path("-"), Path("/dev/null")):
        with pytest.raises(ValueError, match=rf"{option} {place} is no place for a file"):
            _output.check_writable(place, option, or_stdout=False)


def test_what_is_read_is_not_written(tmp_path):
    table, link, picture = tmp_path / "labels.csv", tmp_path / "link.csv", tmp_path / "x.PNG"
    table.write_text("path,label")
    link.symlink_to(table)
    picture.write_bytes(b"")
    for place in (table, link):
        with pytest.raises(ValueError, match=rf"--json {place} is read, and would be lost"):
            _output.check_writable(place, inputs=[None, tmp_path / "none", table])
    with pytest.raises(ValueError, match=rf"--json {picture} is a picture, which would be lost"):
        _output.check_writable(picture)
    _output.check_writable(tmp_path / "new.png", inputs=[table])
    _output.check_writable(table, inputs=[tmp_path])


@pytest.mark.parametrize("option", ["--figures", "--draw", "--checkpoint"])
def test_a_file_is_no_folder(option, tmp_path, capsys):
    """It is told at once, before anything is read."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"")
    calls = {
        "--figures": ["evaluate", "--quiet"],
        "--draw": ["predict", str(tmp_path / "gone.skfer"), str(tmp_path / "faces")],
        "--checkpoint": ["train", "--quiet", "-o", str(tmp_path / "x.skfer")],
    }
    assert main([*calls[option], option, str(photo)]) == FAILED
    assert capsys.readouterr() == (
        "",
        f"skfer: error: {option} {photo} is a file: give a folder.\n",
    )
    below = photo / "x"
    assert main([*calls[option], option, str(below)]) == FAILED
    assert capsys.readouterr().err == (
        f"skfer: error: {option} {below}: this folder cannot be made (Not a directory): choose "
        "another place.\n"
    )


def test_where_there_is_no_room_is_told():
    """Of an error that has a number and words of its own, as that of `skfer.save`."""
    error = OSError("path='x.skfer' cannot be written")
    error.errno = 28
    told = explain(error, argparse.Namespace(command="train", output=Path("x.skfer")))
    assert told == (
        "No space left on device: make room where --output x.skfer is, or give another place."
    )


@pytest.mark.parametrize(
    ("command", "options", "told"),
    [
        ("predict", {"draw": Path("in/drawn"), "csv": None}, "make room where --draw in/drawn is,"),
        ("predict", {"draw": None}, "make room where it is written to, or give another place."),
    ],
)
def test_where_there_is_no_room_is_told_in_a_sentence(command, options, told):
    error = OSError(28, "No space left on device")
    assert told in explain(error, argparse.Namespace(command=command, **options))


@pytest.mark.parametrize(
    ("command", "option"), [("train", "--output"), ("embed", "--output"), ("export", "--onnx")]
)
def test_the_file_that_is_written_is_told_by_its_option(command, option):
    error = PermissionError("path='x' cannot be written: Permission denied. Give another path.")
    told = explain(error, argparse.Namespace(command=command))
    assert told == f"{option} 'x' cannot be written: Permission denied. Give another path."


def test_what_a_report_calls_otherwise_is_told_in_words():
    call = argparse.Namespace(command="report", output=Path("x"))
    few = ArgumentError("{bunch} must have faces of at least two labeled classes.")
    assert explain(few, call) == "the data must have faces of at least two labeled classes."
    taken = ArgumentError("{path=} is a folder: name a file in it.", path="x")
    assert explain(taken, call) == "--output 'x' is a folder: name a file in it."


def test_bytes_of_names_that_are_no_utf8_are_kept(tmp_path):
    path = tmp_path / "x.csv"
    _output.write_text(path, os.fsdecode(b"caf\xe9.png\n"), "--csv")
    assert path.read_bytes() == b"caf\xe9.png\n"


def test_json_that_fails_at_the_end_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"--json .*x\.json could not be written: No such file"):
        _output.write_json(tmp_path / "gone" / "x.json", {})


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_json_on_standard_output(capfd, name):
    assert main(["evaluate", *QUICK, "--image-size", "24", "--json", name]) == 0
    captured = capfd.readouterr()
    assert len(json.loads(captured.out)["folds"]) == 10
    assert "48 faces of 8 expressions" in captured.err
    assert "multi-threshold" in captured.err


def test_four_writers_at_a_time(tmp_path):
    path = tmp_path / "x.json"
    theirs = tmp_path / "x.json.part"
    theirs.write_text("mine")
    seen = []

    def write(number):
        for i in range(40):
            _output.write_json(path, {"writer": number, "i": i, "filling": "." * 10_000})
            seen.append(json.loads(path.read_text())["filling"])

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    assert len(seen) == 160
    assert theirs.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json", "x.json.part"]


class _Ascii(io.StringIO):
    encoding = "ascii"


def test_words_in_the_characters_of_the_stream():
    stream = _Ascii()
    _output.say("0.5 ± 0.1 of Zoë", stream)
    assert stream.getvalue() == "0.5 +- 0.1 of Zo\\xeb\n"


class _Western(io.StringIO):
    encoding = "cp1252"


def test_what_a_stream_can_take_is_left_as_it_is():
    stream = _Western()
    _output.say("\u5feb 0.5 ± 0.1 of Zoë", stream)
    assert stream.getvalue() == "\\u5feb 0.5 ± 0.1 of Zoë\n"
    assert _output.in_a_line("\u5feb ±", stream) == "\\u5feb ±"
    assert _output.in_a_line("\u5feb ±", _Ascii()) == "\\u5feb +-"
    assert _output.in_a_line("\u5feb ±") == "\u5feb ±"


def _row(file, label, box=None):
    return {"file": file, "label": label, "box": box, "probability": 0.5}


def test_rows_of_predictions_are_straight():
    """As wide as the stream shows them: Chinese in two columns, or as an escape sequence."""
    box = [1, 2, 3, 4]
    rows = [_row("a.png", "\u5feb\u4e50"), _row("\u5feb.png", "anger", box), _row("b", None, box)]
    assert _predict._as_text(rows).splitlines() == [
        "a.png                  \u5feb\u4e50   0.50",
        "\u5feb.png  (1, 2)-(3, 4)  anger  0.50",
        "b       (1, 2)-(3, 4)  -      0.50",
    ]
    western = _predict._as_text(rows, _Western())
    assert western.splitlines() == [
        r"a.png                      \u5feb\u4e50  0.50",
        r"\u5feb.png  (1, 2)-(3, 4)  anger         0.50",
        "b           (1, 2)-(3, 4)  -             0.50",
    ]
    stream = _Western()
    _output.say(western, stream)
    assert stream.getvalue() == f"{western}\n"


def test_a_closed_stream_takes_nothing(monkeypatch, tmp_path):
    """Neither is there for a daemon; what is said goes nowhere, and to no other stream."""
    path = tmp_path / "numbers.json"
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    code = main(["evaluate", *PCA, "--image-size", "16", "--json", str(path)])
    assert code == 0
    assert sys.stdout is sys.stderr is None
    assert json.loads(path.read_text())["complete"]


def test_a_name_is_in_one_line():
    assert _output.in_a_line("new\nline\x1b.png") == "new\\nline\\x1b.png"


def test_json_on_standard_output_is_utf_8(monkeypatch):
    """Whatever the encoding of the words there, as that of a pipe on Windows."""
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="cp1252"))
    print("before")
    _output.write_text(Path("-"), '{"a\u0308": "\u8868"}\n', "--json")
    assert content.getvalue() == 'before\n{"a\u0308": "\u8868"}\n'.encode()
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # as a notebook's, without bytes
    _output.write_text(Path("-"), "\u8868", "--json")
    assert sys.stdout.getvalue() == "\u8868"


@pytest.mark.parametrize(
    "command", ["train", "predict", "embed", "info", "report", "export", "evaluate", "datasets"]
)
def test_help_fits_a_terminal(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
