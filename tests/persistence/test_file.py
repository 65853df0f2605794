"""Model files: whole or not there, and anything but a whole one is refused in plain words."""

import io
import json
import os
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from skfer.exceptions import ArgumentError, ModelFileError
from skfer.persistence import _file
from skfer.persistence._file import read_file, write_file

DOCUMENT = {"words": ["é", "\x00", ""], "numbers": [1, 2.5, None, True]}
ARRAYS = {"a0": np.arange(12.0).reshape(3, 4), "a1": np.zeros((0, 3), np.float32)}


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.skfer"
    write_file(path, DOCUMENT, ARRAYS)
    return path.read_bytes()


def read(content, folder):
    path = folder / "given.skfer"
    path.write_bytes(content)
    return read_file(path)


def test_what_was_written_is_read(content, tmp_path):
    document, arrays = read(content, tmp_path)
    assert document == DOCUMENT
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_words_that_are_no_text_are_kept(tmp_path):
    """Such as the name of a class that was a folder, in another encoding than UTF-8."""
    document = {"classes": [os.fsdecode(b"fr\xf6hlich"), "fröhlich", "\U0001f600"]}
    write_file(tmp_path / "x", document, {})
    assert read_file(tmp_path / "x")[0] == document


def test_a_file_of_an_earlier_version_is_read(tmp_path):
    text = json.dumps(DOCUMENT, ensure_ascii=False)
    metadata = {"format": "1", "skfer": text, "sha256": _file._digest(text, ARRAYS)}
    assert read(save_tensors(ARRAYS, metadata), tmp_path)[0] == DOCUMENT


def test_the_same_gives_the_same_file(content, tmp_path):
    for _ in range(8):
        write_file(tmp_path / "x", DOCUMENT, ARRAYS)
        assert (tmp_path / "x").read_bytes() == content
    assert int.from_bytes(content[:8], "little") % 8 == 0
    assert load_tensors(content).keys() == ARRAYS.keys()


def test_a_flipped_bit_is_refused(content, tmp_path):
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ModelFileError) as caught:
            read(bytes(damaged), tmp_path)
        assert len(str(caught.value)) < 600, place


@settings(max_examples=500)
@given(st.data())
def test_a_part_of_a_file_is_refused(content, tmp_path_factory, data):
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ModelFileError, match="damaged"):
        read(content[:end], tmp_path_factory.getbasetemp())


@settings(max_examples=500)
@given(st.binary(max_size=200), st.booleans())
def test_other_bytes_are_refused(content, tmp_path_factory, data, after):
    with pytest.raises(ModelFileError):
        read(content + data + b"\0" if after else data, tmp_path_factory.getbasetemp())


def test_weights_of_something_else_are_told(tmp_path):
    with pytest.raises(ModelFileError, match="no model of skfer"):
        read(save_tensors({"w": np.zeros(3)}), tmp_path)


def test_a_later_format_is_told(tmp_path):
    with pytest.raises(ModelFileError, match="newer skfer"):
        read(save_tensors({"w": np.zeros(3)}, {"skfer": "{}", "format": "999"}), tmp_path)


def test_deep_nesting_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "deep.skfer"
    monkeypatch.setattr(_file.json, "dumps", lambda *_, **__: "[" * 200_000)
    write_file(path, {}, {})
    with pytest.raises(ModelFileError):
        read_file(path)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large.skfer"
    with open(path, "wb") as file:
        file.truncate(10**6)
    with pytest.raises(ModelFileError, match="1,000,000 bytes"):
        read_file(path, max_bytes=10**5)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*: give one that skfer\.save"):
        read_file(tmp_path / "none.skfer")


class Slowly(io.RawIOBase):
    """A file that gives little at a time, as from a network."""

    def __init__(self, content):
        self.left = content

    def read(self, size=-1):
        part, self.left = self.left[: min(size, 100)], self.left[min(size, 100) :]
        return part


@pytest.mark.parametrize("make", [io.BytesIO, Slowly])
def test_an_open_file_is_read(make, content):
    document, arrays = read_file(make(content))
    assert document == DOCUMENT
    assert arrays.keys() == ARRAYS.keys()
    with pytest.raises(ModelFileError, match=r"^the file given is not a model file, or is damaged"):
        read_file(make(content[:-1]))
    assert read_file(make(content), max_bytes=len(content))[0] == DOCUMENT
    with pytest.raises(ModelFileError, match=r"^the file given has more than 150 bytes"):
        read_file(make(content), max_bytes=150)


def test_an_open_file_has_its_name_in_messages(content, tmp_path):
    path = tmp_path / "model.skfer"
    path.write_bytes(content + b"more")
    with path.open("rb") as file, pytest.raises(ModelFileError, match=r"model\.skfer' is not"):
        read_file(file)


def test_what_is_no_file_is_told(content, tmp_path):
    (tmp_path / "x").write_text("words")
    with (tmp_path / "x").open() as text:
        for given_, match in [
            (content, r"path must be .* got bytes: give io\.BytesIO of them"),
            (bytearray(content), r"got bytearray: give io\.BytesIO"),
            (None, r"path must be a path, or a file that is open for reading bytes, got NoneType"),
            (text, r"got TextIOWrapper: open it with mode 'rb'"),
        ]:
            with pytest.raises(ArgumentError, match=match) as told:
                read_file(given_)
            assert told.value.arguments == ("path",)


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ModelFileError, match="regular file"):
        read_file(path)


def test_a_failure_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "model.skfer"
    path.write_bytes(b"older")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(path, DOCUMENT, ARRAYS)
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["model.skfer"]


def test_a_place_that_takes_no_file_is_named(tmp_path):
    for place in (tmp_path, tmp_path / "gone" / "model.skfer"):
        with pytest.raises(OSError, match="directory") as told:
            write_file(place, DOCUMENT, ARRAYS)
        assert told.value.filename == str(place)
    assert os.listdir(tmp_path) == []


def test_mode_and_link_of_a_replaced_file_stay(tmp_path):
    path, link = tmp_path / "model.skfer", tmp_path / "link"
    path.write_bytes(b"older")
    path.chmod(0o640)
    link.symlink_to(path)
    write_file(link, DOCUMENT, ARRAYS)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert read_file(path)[0] == DOCUMENT
