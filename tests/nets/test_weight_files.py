"""Files of weights are read as data, and what is none is named for what it is."""

import argparse
import contextlib
import io
import os
import pickle
import zipfile
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as save_tensors
from safetensors.torch import save_file
from torch import nn

from skfer.exceptions import ArgumentError
from skfer.nets.weight_files import read_weights


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.parametrize("save", [torch.save, save_file])
def test_tensors_by_name(tmp_path, save):
    path = tmp_path / "any name"
    save({"a.b": torch.arange(3.0), "c": torch.ones(2, dtype=torch.int64)}, path)
    tensors = read_weights(path)
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        "a.b": [0, 1, 2],
        "c": [1, 1],
    }


def test_old_files_of_torch(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert read_weights(path)["a"].tolist() == [1, 1]


def test_dicts_give_prefixes(tmp_path):
    content = {
        "model": {"a": torch.zeros(1), "deeper": {"b": torch.ones(1)}},
        "epoch": 3,
        "optimizer": {"state": {0: {"c": torch.ones(1)}}},
    }
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert set(read_weights(path)) == {"model.a", "model.deeper.b"}


def test_a_dict_in_itself(tmp_path):
    content = {"a": torch.zeros(1)}
    content["model"] = content
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert "model.a" in read_weights(path)


@pytest.mark.parametrize(
    "wrap",
    [partial(pickle.dumps, protocol=2), saved, lambda x: saved({"model": {}, "args": x})],
)
def test_no_code_runs(tmp_path, wrap):
    made, path = tmp_path / "made", tmp_path / "weights.pth"
    path.write_bytes(wrap(Hostile(made)))
    with pytest.raises(ArgumentError, match=r"weights.pth'.* can run code") as caught:
        read_weights(path)
    assert not made.exists()
    assert caught.value.arguments == ("backbone_weights",)


@pytest.mark.parametrize("content", [nn.Linear(2, 2), {"args": argparse.Namespace(lr=1)}])
def test_other_objects_are_named(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    match = "holds an object of (torch.nn|argparse).* safetensors"
    with pytest.raises(ArgumentError, match=match):
        read_weights(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "pointer of large-file"),
        (b"\n<!DOCTYPE html>\n<html>not found</html>", "is a web page"),
        (b"weights = none\n", "is a text file"),
        (b"\x80\x02 something else \x00" * 9, "is damaged, or no file of weights"),
        (saved({"a": torch.zeros(99)})[:300], "is damaged, or no file of weights"),
        ((99).to_bytes(8, "little") + b'{"a": \x00', "is damaged, or no file of weights"),
        (saved([torch.zeros(3)]), "holds no tensors by name, but list"),
        (saved({"epoch": 3, "lr": 0.1}), r"holds no tensors by name, but only \['epoch', 'lr'\]"),
        (saved(torch.zeros(3)), "holds no tensors by name, but Tensor"),
    ],
)
def test_what_is_no_file_of_weights(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_weights(path)
    assert len(str(caught.value)) < 800
    assert str(caught.value).isprintable()


TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2, dtype=torch.int64)}


@pytest.mark.parametrize("write", [saved, save_tensors])
@settings(max_examples=250)
@given(st.data())
def test_a_damaged_file_is_refused_or_holds_tensors(write, tmp_path_factory, data):
    """Such files have no checksum: other numbers, or names, cannot be noticed."""
    content = bytearray(write(TENSORS))
    kind = data.draw(st.sampled_from(["cut", "flip", "insert"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        content = content[:place]
    elif kind == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        content[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(content)
    with contextlib.suppress(ArgumentError):
        assert all(isinstance(tensor, torch.Tensor) for tensor in read_weights(path).values())


def test_a_compressed_archive_is_not_unpacked(tmp_path):
    path = tmp_path / "weights.pth"
    plain = zipfile.ZipFile(io.BytesIO(saved({"a": torch.zeros(10**6)})))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(ArgumentError, match="is a compressed archive"):
        read_weights(path)


def test_one_number_repeated_without_end(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1).expand(10**12)}, path)
    with pytest.raises(ArgumentError, match="holds 'a', which would be larger than the file"):
        read_weights(path)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_regular_files(tmp_path, make):
    path = tmp_path / "weights.pth"
    make(path)
    with pytest.raises(ArgumentError, match="is not a regular file"):
        read_weights(path)


def test_an_endless_device():
    with pytest.raises(ArgumentError, match="is not a regular file"):
        read_weights("/dev/zero")


@pytest.mark.parametrize("name", ["none.pth", "n" * 300, "loop.pth"])
def test_no_such_file(tmp_path, name):
    (tmp_path / "loop.pth").symlink_to(tmp_path / "loop.pth")
    with pytest.raises(FileNotFoundError, match=r"backbone_weights=.* is not a file") as caught:
        read_weights(tmp_path / name)
    assert len(str(caught.value)) < 400
