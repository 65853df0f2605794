"""Files that are none, or never end, or may not be read: told by name, and never waited for."""

import errno
import os
import socket
import tracemalloc

import numpy as np
import pytest
from helpers import trees

from skfer.datasets import DatasetError, DatasetWarning, decode_images, load_image_folder
from skfer.pictures import open_regular, read_bytes, read_number, read_numbers


def _socket(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.close()


SPECIAL = {
    "pipe": (os.mkfifo, "a named pipe, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device, not a file"),
    "loop": (lambda path: path.symlink_to(path), "a link that leads to itself"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "no such file"),
    "socket": (_socket, "a socket, not a file"),
    "folder": (lambda path: path.mkdir(), "a folder, not a file"),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_files_are_told_or_skipped(tmp_path, kind):
    make, message = SPECIAL[kind]
    trees.picture(tmp_path / "a.png")
    make(tmp_path / "b.png")
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    with pytest.raises(DatasetError, match=rf"b\.png: {message}"):
        decode_images(paths)
    with pytest.warns(DatasetWarning, match=message):
        assert len(decode_images(paths, on_error="skip")) == 1


def test_names_that_no_file_can_have(tmp_path):
    trees.picture(tmp_path / "a.png")
    paths = [tmp_path / "a.png", tmp_path / ("b" * 300 + ".png"), "a\0b", tmp_path / "a.png/c.png"]
    with pytest.warns(DatasetWarning, match=r"a name that is too long") as caught:
        assert len(decode_images(paths, on_error="skip")) == 1
    assert "a part of its path is no folder" in str(caught[0].message)
    assert len(str(caught[0].message)) < 1500


def test_the_content_of_a_file_is_not_its_path(tmp_path):
    trees.picture(tmp_path / "a.png", (60, 60))
    with pytest.raises(ValueError, match=r"pictures\[0\] is the content of a file") as caught:
        decode_images([(tmp_path / "a.png").read_bytes()])
    assert len(str(caught.value)) < 200
    assert len(decode_images([os.fsencode(tmp_path / "a.png")])) == 1


def test_a_file_without_permission_is_told(tmp_path, monkeypatch):
    trees.picture(tmp_path / "a.png")
    refuse(monkeypatch, "a.png", errno.EACCES)
    with pytest.raises(DatasetError, match=r"a\.png: no permission to read it"):
        decode_images([tmp_path / "a.png"])


def refuse(monkeypatch, name, number):
    """Let the opening of one file fail as the system would."""
    plain = os.open

    def guarded(path, *args, **kwargs):
        if os.fspath(path).endswith(name):
            raise OSError(number, os.strerror(number), path)
        return plain(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", guarded)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO])
def test_what_may_pass_is_not_kept_in_a_cache(tmp_path, monkeypatch, number):
    names = ["fear/a.png", "sad/b.png"]
    trees.folder(tmp_path / "faces", names)
    how = {"cache_dir": tmp_path / "cache", "on_error": "skip"}
    with monkeypatch.context() as patched:
        refuse(patched, "b.png", number)
        for _ in range(2):
            with pytest.warns(DatasetWarning, match=r"sad/b\.png"):
                faces = load_image_folder(tmp_path / "faces", **how)
            assert faces.filenames.tolist() == names[:1]
    faces = load_image_folder(tmp_path / "faces", **how)
    assert faces.filenames.tolist() == names
    assert len(faces.images) == 2


def test_reading_is_bounded(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_bytes(tmp_path / "a", 4)
    os.truncate(tmp_path / "a", 2**26)
    tracemalloc.start()
    with pytest.raises(OSError, match="more than 5 bytes"):
        read_bytes(tmp_path / "a", 5)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(3):
        with pytest.raises(OSError, match="named pipe"):
            open_regular(tmp_path / "pipe")
    assert before is None or len(os.listdir("/proc/self/fd")) == before


HEADER = b"\x93NUMPY\x01\x00v\x00"
DAMAGED = {
    "empty": b"",
    "no header": b"\x93NUMPY\x01\x00",
    "half a header": HEADER + b"{'descr': '<f8', 'fortran_",
    "no python": HEADER + b"{'descr': '<f8', ((((".ljust(118),
    "null bytes": HEADER + b"\0" * 118,
    "odd dtype": HEADER + b"{'descr': '<Q99', 'fortran_order': False, 'shape': (1,), }".ljust(118),
    "objects": HEADER + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(118),
    "too few": HEADER + b"{'descr': '<f8', 'fortran_order': False, 'shape': (9,), }".ljust(118),
    "huge": HEADER + b"{'descr': '<f8', 'fortran_order': False, 'shape': (9**30,), }".ljust(118),
    "negative": HEADER + b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }".ljust(118),
    "deep": HEADER + (b"[" * 90 + b"]" * 28),
}


@pytest.mark.parametrize("how", DAMAGED)
@pytest.mark.parametrize("read", [read_number, read_numbers])
def test_a_damaged_npy_file_is_named(tmp_path, how, read):
    (tmp_path / "a_exp.npy").write_bytes(DAMAGED[how])
    with pytest.raises(ValueError, match=r"^a_exp\.npy (is|holds) "):
        read(tmp_path / "a_exp.npy")


def test_npy_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(ValueError, match=r"pipe\.npy is a named pipe"):
        read_numbers(tmp_path / "pipe.npy")
    with pytest.raises(ValueError, match=r"none\.npy is no such file"):
        read_number(tmp_path / "none.npy")


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "U7"])
def test_numbers_come_back(tmp_path, dtype):
    values = np.array([[1.5, 2.0], [3.25, 4.0], [5.0, -6.0]])
    values = values.astype(int) if "i" in dtype else values
    for array in (values.astype(dtype), np.asfortranarray(values.astype(dtype)), values[0, 0]):
        np.save(tmp_path / "a.npy", array)
        numbers = read_numbers(tmp_path / "a.npy")
        np.testing.assert_array_equal(numbers, array.astype(float))
        assert numbers.dtype == np.float64


def test_points_of_faces_are_not_kept(tmp_path):
    """AffectNet has hundreds of thousands, and no two are the same."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}_lnd.npy" for i in range(100)]
    for path in paths:
        np.save(path, rng.random(136))
    read_numbers(paths[0])
    tracemalloc.start()
    for path in paths:
        read_numbers(path)
    assert tracemalloc.get_traced_memory()[0] < 80_000  # their numbers alone are 108,800
    tracemalloc.stop()
