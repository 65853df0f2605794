"""Files that are written whole or not at all."""

import os
import stat
from types import SimpleNamespace

import pytest

from skfer import _replacing
from skfer._replacing import left_by_others, replaced


def write(path, text="new"):
    with replaced(path) as temporary:
        temporary.write_text(text)


def test_a_file_is_made_and_replaced(tmp_path):
    path = tmp_path / "x.txt"
    write(path, "one")
    write(path, "two")
    assert path.read_text() == "two"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_modes_are_those_of_other_files(tmp_path):
    path, other = tmp_path / "x.txt", tmp_path / "other.txt"
    other.write_text("")
    write(path)
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o640)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_links_are_followed(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    link.symlink_to(real)
    write(link)
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_pipes_and_folders_stay(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a device or a pipe") as caught:
        write(pipe)
    assert caught.value.filename == str(pipe)
    assert pipe.is_fifo()
    with pytest.raises(IsADirectoryError) as caught:
        write(tmp_path)
    assert caught.value.filename == str(tmp_path)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    """Even where somebody has guessed the temporary name, which is theirs and stays."""
    monkeypatch.setattr(_replacing, "uuid4", lambda: SimpleNamespace(hex="guessed"))
    victim, planted = tmp_path / "victim", tmp_path / ".x.txt.guessed.part"
    victim.write_text("mine")
    planted.symlink_to(victim)
    with pytest.raises(FileExistsError) as caught:
        write(tmp_path / "x.txt")
    assert caught.value.filename == str(tmp_path / "x.txt")
    assert victim.read_text() == "mine"
    assert planted.is_symlink()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_older_file(tmp_path, error):
    def break_off():
        with replaced(path) as temporary:
            temporary.write_text("half")
            raise error

    path = tmp_path / "x.txt"
    write(path, "before")
    with pytest.raises(type(error)) as caught:
        break_off()
    assert getattr(caught.value, "filename", str(path)) == str(path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_a_disk_that_is_full_at_the_end(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    path = tmp_path / "x.txt"
    write(path, "before")
    monkeypatch.setattr(_replacing.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_errors_about_other_files_stay_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replaced(tmp_path / "x.txt"):
        (tmp_path / "none").read_text()
    assert caught.value.filename == str(tmp_path / "none")


def test_a_file_that_is_being_read_is_waited_for(tmp_path, monkeypatch):
    """Windows refuses to rename onto what a virus scanner or a backup has open, for a moment."""
    refusals, replace = [PermissionError, PermissionError], os.replace

    def refusing(source, target):
        if refusals:
            raise refusals.pop()(13, "in use", str(target))
        replace(source, target)

    path = tmp_path / "x.txt"
    monkeypatch.setattr(_replacing.os, "replace", refusing)
    write(path)
    assert path.read_text() == "new"
    refusals += [PermissionError] * 9
    monkeypatch.setattr(_replacing.time, "sleep", lambda seconds: None)
    with pytest.raises(PermissionError, match="in use"):
        write(path, "newer")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_names_that_are_as_long_as_can_be(tmp_path):
    path = tmp_path / ("表" * 85)  # 255 bytes
    write(path)
    assert path.read_text() == "new"
    assert list(left_by_others(path)) == []
    left = tmp_path / f".{'表' * 66}.killed.part"
    left.touch()
    (tmp_path / ".other.killed.part").touch()
    assert list(left_by_others(path)) == [left]
