"""Commands that are asked to end tell what was done until then, and leave no process behind."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers.calls import pictures_in

from skfer.cli import _evaluate, _main, _predict, _signals, main
from skfer.cli.exit_codes import HUNG_UP, TERMINATED

LONG = ["--epochs", "400", "--max-per-class", "6", "--folds", "6", "--image-size", "16", "--quiet"]


@pytest.fixture(autouse=True)
def signals_kill():
    """Signals do what they usually do, whoever runs the tests: under nohup one is ignored."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in names}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.fixture
def asked(monkeypatch):
    """Let `skfer evaluate` get a signal as soon as it runs; return how it ends."""

    def call(name):
        monkeypatch.setattr(
            _evaluate, "load_faces", lambda arguments: signal.raise_signal(getattr(signal, name))
        )
        return main(["evaluate", "--quiet"])

    return call


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", TERMINATED), ("SIGHUP", HUNG_UP)])
def test_signals_are_told(asked, capsys, name, code):
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("a system without this signal")
    assert asked(name) == code == 128 + number
    assert capsys.readouterr().err == f"skfer: ended by {name}\n"
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a system without this signal")
def test_the_terminal_may_be_gone(asked, monkeypatch):
    def gone(text, stream):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(_main, "say", gone)
    assert asked("SIGHUP") == HUNG_UP


def test_a_signal_that_somebody_handles_is_theirs(asked):
    caught = []
    before = signal.signal(signal.SIGTERM, lambda *given: caught.append(given))
    try:
        assert asked("SIGTERM") != TERMINATED  # it goes on, without faces
        assert len(caught) == 1
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a system without this signal")
def test_an_ignored_signal_is_ignored(asked):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    assert asked("SIGHUP") != HUNG_UP


def test_a_second_signal_does_not_break_off_what_is_told():
    def twice():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(_signals.AskedToEnd), _signals.raised_by_signals():
        twice()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_threads_leave_signals_alone():
    seen = []

    def look():
        with _signals.raised_by_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_rows_are_told_when_it_is_asked_to_end(smile, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_predict, "_CHUNK", 4)
    read, n_read = _predict._read_all, []

    def ended(reader, names, n_jobs):
        if n_read:
            signal.raise_signal(signal.SIGTERM)
        n_read.extend(names)
        return read(reader, names, n_jobs)

    monkeypatch.setattr(_predict, "_read_all", ended)
    path = tmp_path / "x.csv"
    assert main(["predict", str(smile), str(folder), "--csv", str(path), "--quiet"]) == TERMINATED
    with path.open() as file:
        assert [row["file"] for row in csv.DictReader(file)] == pictures_in(folder)[:4]
    assert "written are 4 of 12 pictures." in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once")
def test_a_comparison_that_is_asked_to_end_leaves_no_worker(tmp_path):
    results, path = tmp_path / "x.fits.jsonl", tmp_path / "x.json"
    words = [*LONG, "--embedders", "pca,gaussian", "--n-jobs", "2", "--json", str(path)]
    call = [sys.executable, "-m", "skfer", "evaluate", *words]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            while not (results.exists() and results.read_text().count("\n")):
                assert run.poll() is None
                time.sleep(0.05)
            run.send_signal(signal.SIGTERM)
            # To the end of the pipes, which workers hold too.
            out, err = run.communicate(timeout=60)
        finally:
            run.kill()
    assert run.returncode == TERMINATED, err
    assert err.endswith("skfer: ended by SIGTERM\n")
    assert f"of 12 fits are done: they are in {results}" in err
    assert "pca" in out
    assert not json.loads(path.read_text())["complete"]
    assert sorted(os.listdir(tmp_path)) == ["x.fits.jsonl", "x.json"]
