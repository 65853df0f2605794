"""What another system refuses: to remove what is open, and locks of its own."""

import os
from types import SimpleNamespace

import pytest

from skfer.cli import _stage, main
from skfer.cli._stage import Stage
from skfer.exceptions import ArgumentError

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="looks there")


def is_in_use(path):
    """Whether this process has a file open or mapped."""
    real = os.path.realpath(path)
    numbers = os.listdir("/proc/self/fd")
    opened = {os.path.realpath(f"/proc/self/fd/{number}") for number in numbers}
    with open("/proc/self/maps") as file:
        return real in opened or any(line.rstrip().endswith(real) for line in file)


@pytest.fixture
def windows(monkeypatch):
    """Files that are in use cannot be removed."""
    unlink = os.unlink

    def refusing(path, **kwargs):
        if is_in_use(path):
            raise PermissionError(13, "used by another process", os.fspath(path))
        unlink(path, **kwargs)

    monkeypatch.setattr(os, "unlink", refusing)


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_the_file_of_rows_is_free_when_it_is_removed(windows, smile, folder, tmp_path, ending):
    path = tmp_path / f"x{ending}"
    assert main(["embed", str(smile), str(folder), "-o", str(path), "--quiet"]) == 0
    assert os.listdir(tmp_path) == [path.name]


def test_an_error_is_told_as_it_is(windows, tmp_path):
    with pytest.raises(KeyError), Stage(tmp_path / "x.npz", "one", 2):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_two_calls_do_not_write_to_one_file(monkeypatch, tmp_path):
    """Bytes are locked there, of which no other call has one that is behind all rows."""
    locked = set()

    def locking(number, mode, n_bytes):
        assert (mode, n_bytes) == ("now", 1)
        place = (os.fstat(number).st_ino, os.lseek(number, 0, os.SEEK_CUR))
        if place in locked:
            raise PermissionError(13, "locked")
        locked.add(place)

    system = SimpleNamespace(LK_NBLCK="now", locking=locking)
    monkeypatch.setattr(_stage, "fcntl", None)
    monkeypatch.setattr(_stage, "msvcrt", system, raising=False)
    path = tmp_path / "x.npz"
    with Stage(path, "one", 2) as stage:
        with pytest.raises(ArgumentError, match="another call is writing"), Stage(path, "one", 2):
            pass
        assert stage.n_rows == 0
