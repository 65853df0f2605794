"""Which pictures are read of the places that a call names, and in which order."""

import os
from pathlib import Path

import pytest
from helpers import trees

from skfer.cli import _embed, _pictures, main
from skfer.cli.exit_codes import FAILED
from skfer.datasets import _tree
from skfer.exceptions import ArgumentError


@pytest.fixture
def root(tmp_path):
    """Pictures in a folder and below it, hidden ones among them."""
    names = ["b.png", "a/1.png", "a/2.png", "a-b/3.png", ".c.png", ".Trash/d.png"]
    trees.folder(tmp_path / "faces", [*names, "a/.ipynb_checkpoints/1-checkpoint.png"])
    return tmp_path / "faces"


def _below(root, names):
    return [os.path.relpath(name, root).replace(os.sep, "/") for name in names]


def test_hidden_pictures_are_not_of_a_folder(root):
    found = _pictures.find_pictures([root])
    assert _below(root, found) == ["a/1.png", "a/2.png", "a-b/3.png", "b.png"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (".c.png", [".c.png"]),
        (".Trash", [".Trash/d.png"]),
        ("a/.ipynb_checkpoints", ["a/.ipynb_checkpoints/1-checkpoint.png"]),
    ],
)
def test_what_is_named_is_read_even_if_hidden(root, given, found):
    assert _below(root, _pictures.find_pictures([root / given])) == found


def test_links_to_folders_are_followed_and_loops_are_not(root, tmp_path):
    trees.folder(tmp_path / "elsewhere", ["4.png"])
    (root / "c").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    (root / "itself").symlink_to(root / "itself")
    found = _pictures.find_pictures([root])
    assert _below(root, found) == ["a/1.png", "a/2.png", "a-b/3.png", "b.png", "c/4.png"]


def test_a_folder_that_cannot_be_listed_is_told(root, monkeypatch, capsys):
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(_tree.os, "scandir", refuse)
    assert _below(root, _pictures.find_pictures([root])) == ["a-b/3.png", "b.png"]
    told = "a folder that cannot be read: no permission to read it"
    assert capsys.readouterr().err == f"skfer: warning: {root / 'a'}{os.sep}: {told}\n"


def test_the_folder_where_one_is(root, monkeypatch):
    monkeypatch.chdir(root / "a")
    found = _pictures.find_pictures([Path()])
    assert found == [os.path.join(".", name) for name in ("1.png", "2.png")]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["b.png", "a-b", "a"], ["a/1.png", "a/2.png", "a-b/3.png", "b.png"]),
        (["a", "a"], ["a/1.png", "a/2.png"]),
        (["a/2.png", "a", "a/2.png"], ["a/1.png", "a/2.png"]),
    ],
)
def test_embeddings_are_in_the_order_of_paths_each_picture_once(root, given, found):
    names = _pictures.find_pictures([root / name for name in given])
    assert _below(root, _embed._in_order(names)) == found


def test_a_picture_by_two_names_is_one(root, monkeypatch):
    monkeypatch.chdir(root)
    assert _embed._in_order(["b.png", str(root / "b.png")]) == ["b.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("notes.txt", "{} is neither a model nor a picture, whose name ends in one of .bmp .gif "),
        ("nowhere.txt", "there is no {}: give pictures, or folders of them."),
        ("x.skfer", "{} is a model: give pictures, or folders of them, after it."),
    ],
)
@pytest.mark.parametrize("command", ["predict", "embed"])
def test_a_single_file_that_is_no_picture(tmp_path, capsys, command, name, message):
    (tmp_path / "notes.txt").write_text("no picture")
    more = ["-o", str(tmp_path / "x.npz")] if command == "embed" else []
    assert main([command, str(tmp_path / name), *more]) == FAILED
    assert message.format(tmp_path / name) in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_a_model_stands_first(tmp_path, smile, capsys, command):
    """Whatever it is called: no picture is told by another model than the one that is given."""
    other = tmp_path / "smile.bin"
    other.write_bytes(smile.read_bytes())
    trees.folder(tmp_path / "faces", ["a.png"])
    more = ["-o", str(tmp_path / "x.npz")] if command == "embed" else []
    for place, words in (
        (smile, [tmp_path / "faces", smile]),
        (other, [tmp_path / "faces" / "a.png", other]),
    ):
        assert main([command, *map(str, words), *more]) == FAILED
        assert capsys.readouterr().err == f"skfer: error: {place} is a model: give it first.\n"
    assert main([command, str(smile), str(other), str(tmp_path / "faces"), *more]) == FAILED
    assert capsys.readouterr().err == (
        f"skfer: error: {other} is a model: give one model, and then pictures.\n"
    )


def test_a_model_is_known_by_what_is_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_pictures, "read_card", lambda path: {})
    (tmp_path / "model.bin").write_bytes(b"12345678{")
    error = _pictures._no_pictures(tmp_path / "model.bin")
    assert isinstance(error, ArgumentError)
    assert "model.bin is a model: give pictures" in str(error)
    monkeypatch.setattr(_pictures, "read_card", None)  # which would read all of it
    (tmp_path / "film.mp4").write_bytes(b"no header")
    assert not _pictures._seems_model(tmp_path / "film.mp4")
