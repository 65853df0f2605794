"""`skfer embed`: rows of pictures, and what goes on after a break."""

import os
from importlib import import_module

import numpy as np
import pytest
from helpers.calls import embedded, pictures_in
from PIL import Image

import skfer
from skfer.cli import _embed, _pictures, _stage, _tables, main
from skfer.cli.exit_codes import FAILED, INTERRUPTED, UNUSABLE
from skfer.datasets import decode_images, make_expressions
from skfer.exceptions import ArgumentError


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_embeddings_are_those_of_the_model(smile, folder, tmp_path, capsys, ending):
    path = tmp_path / f"x{ending}"
    assert main(["embed", str(smile), str(folder), "-o", str(path), "--quiet"]) == 0
    assert capsys.readouterr().out == f"12 embeddings of 64 coordinates: {path}\n"
    names, embedding = embedded(path)
    assert names == pictures_in(folder)
    images = decode_images(names, image_size=16)
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(images))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.pyarrow
def test_parquet(smile, folder, tmp_path):
    parquet = import_module("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    assert main(["embed", str(smile), str(folder), "-o", str(path), "--quiet"]) == 0
    table = parquet.read_table(path).to_pydict()
    assert table["file"] == pictures_in(folder)
    images = decode_images(table["file"], image_size=16)
    np.testing.assert_array_equal(table["embedding"], skfer.load(smile).transform(images))


def test_parquet_without_its_package_is_refused_at_once(
    smile, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(_tables, "find_spec", lambda name: None)
    path = tmp_path / "x.parquet"
    assert main(["embed", str(smile), str(folder), "-o", str(path)]) == FAILED
    assert f"--output {path} needs pyarrow: pip install " in capsys.readouterr().err
    assert main(["embed", str(smile), str(folder), "-o", str(tmp_path / "x.txt")]) == FAILED
    assert "has none of the endings .npz, .csv, .parquet" in capsys.readouterr().err
    assert not os.listdir(tmp_path)


def test_pictures_that_fail_have_no_row(smile, folder, tmp_path, capsys):
    names = [*pictures_in(folder)[:3], str(folder / "notes.txt"), "nowhere.png"]
    path = tmp_path / "x.npz"
    order = [names[0], names[3], names[1], names[4], names[2]]
    assert main(["embed", str(smile), *order, "-o", str(path)]) == UNUSABLE
    assert "no row for 2 pictures that could not be used: " in capsys.readouterr().err
    kept, embedding = embedded(path)
    assert kept == names[:3]
    assert np.isfinite(embedding).all()


def test_an_array_of_pictures(smile, folder, tmp_path):
    images = decode_images(pictures_in(folder), image_size=16)
    np.save(tmp_path / "faces.npy", images)
    path = tmp_path / "x.npz"
    assert main(["embed", str(smile), str(tmp_path / "faces.npy"), "-o", str(path)]) == 0
    names, embedding = embedded(path)
    assert names[:2] == ["faces.npy[0]", "faces.npy[1]"]
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(images))


def test_an_array_is_released_while_it_is_read(smile, tmp_path, monkeypatch):
    """Else the pages of a large file add up in memory."""
    np.save(tmp_path / "faces.npy", np.zeros((10, 16, 16), dtype=np.uint8))
    released = []
    monkeypatch.setattr(_embed, "release_pages", released.append)
    monkeypatch.setattr(_embed, "_BATCH", 4)
    call = ["embed", str(smile), str(tmp_path / "faces.npy"), "-o", str(tmp_path / "x.npz")]
    assert main(call) == 0
    assert [isinstance(array, np.memmap) for array in released] == [True] * 3


def test_an_array_of_another_shape_is_refused(smile, tmp_path, capsys):
    np.save(tmp_path / "faces.npy", np.zeros((2, 8, 8), dtype=np.uint8))
    call = ["embed", str(smile), str(tmp_path / "faces.npy"), "-o", str(tmp_path / "x.npz")]
    assert main(call) == FAILED
    assert "shape (2, 8, 8), and the model takes (n, 16, 16)" in capsys.readouterr().err


@pytest.mark.parametrize("as_array", [False, True])
def test_a_call_that_was_broken_off_goes_on(smile, tmp_path, monkeypatch, capsys, as_array):
    faces = make_expressions(40, 1, image_size=16, random_state=1)
    if as_array:
        np.save(tmp_path / "faces.npy", faces.images)
        given = tmp_path / "faces.npy"
    else:
        given = tmp_path / "faces"
        given.mkdir()
        for i, image in enumerate(faces.images):
            Image.fromarray(image).save(given / f"{i:03d}.png")
    path = tmp_path / "x.npz"
    call = ["embed", str(smile), str(given), "-o", str(path), "--quiet"]
    monkeypatch.setattr(_embed, "_BATCH", 100)
    whole = _stage.Stage.add
    done = []

    def break_off(self, rows):
        if len(done) == 2:
            self._file.write(b"half")  # of a row that was being written
            raise KeyboardInterrupt
        done.append(len(rows))
        whole(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(_stage.Stage, "add", break_off)
        assert main(call) == INTERRUPTED
    assert not path.exists()
    told = "embedded 200 of 320 pictures: the same command goes on from there."
    assert told in capsys.readouterr().err
    assert main(call) == 0
    assert "200 of 320 pictures were embedded before." in capsys.readouterr().out
    _, embedding = embedded(path)
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(faces.images))
    assert not list(tmp_path.glob(".*"))


def _as_array(root, images):
    root.mkdir(exist_ok=True)
    np.save(root / "faces.npy", images)
    return root / "faces.npy"


def _as_files(root, images):
    root.mkdir(exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(root / f"{i:03d}.png")
    return root


def _break_off(monkeypatch, call):
    """Make a call that ends when its last rows are to be told."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_stage.Stage, "read", stop)
        assert main(call) == INTERRUPTED


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ImportError("no detector")])
def test_a_call_that_embeds_nothing_leaves_nothing(
    smile, folder, tmp_path, monkeypatch, capsys, error
):
    def fail(*_):
        raise error

    monkeypatch.setattr(_pictures.FaceReader, "faces", fail)
    assert main(["embed", str(smile), str(folder), "-o", str(tmp_path / "x.npz")]) != 0
    assert "goes on" not in capsys.readouterr().err
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("kept", [_as_array, _as_files])
@pytest.mark.parametrize("changed", [True, False])
def test_pictures_that_changed_are_embedded_anew(
    smile, tmp_path, monkeypatch, capsys, kept, changed
):
    """Of the same names and sizes: what was embedded of the old ones says nothing of them."""
    old = make_expressions(2, 1, image_size=16, random_state=1).images
    new = old[::-1].copy() if changed else old
    path = tmp_path / "x.npz"
    given = kept(tmp_path / "faces", old)
    call = ["embed", str(smile), str(given), "-o", str(path), "--quiet"]
    _break_off(monkeypatch, call)
    if changed:
        kept(tmp_path / "faces", new)
    capsys.readouterr()
    assert main(call) == 0
    assert ("were embedded before" in capsys.readouterr().out) is not changed
    _, embedding = embedded(path)
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(new))


def test_an_array_of_the_same_name_is_another(smile, tmp_path, monkeypatch):
    images = make_expressions(2, 1, image_size=16, random_state=1).images
    path = tmp_path / "x.npz"
    first, second = _as_array(tmp_path / "a", images), _as_array(tmp_path / "b", images[::-1])
    for file in (first, second):
        os.utime(file, ns=(0, 0))
    _break_off(monkeypatch, ["embed", str(smile), str(first), "-o", str(path), "--quiet"])
    assert main(["embed", str(smile), str(second), "-o", str(path), "--quiet"]) == 0
    _, embedding = embedded(path)
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(images[::-1]))


def test_a_picture_that_was_mended_is_tried_again(smile, folder, tmp_path, monkeypatch):
    path, picture = tmp_path / "x.npz", tmp_path / "picture.png"
    picture.write_bytes(b"")
    call = ["embed", str(smile), str(picture), pictures_in(folder)[0], "-o", str(path), "--quiet"]
    _break_off(monkeypatch, call)
    picture.write_bytes((folder / "a" / "02.png").read_bytes())
    assert main(call) == 0
    names, _ = embedded(path)
    assert sorted(names) == sorted([str(picture), pictures_in(folder)[0]])


def test_detect_does_not_belong_to_an_array(smile, tmp_path, capsys):
    array = _as_array(tmp_path, np.zeros((2, 16, 16), dtype=np.uint8))
    call = ["embed", str(smile), str(array), "-o", str(tmp_path / "x.npz"), "--detect"]
    assert main(call) == FAILED
    assert f"--detect does not belong to {array}, an array of faces" in capsys.readouterr().err


def test_another_model_begins_anew(tmp_path):
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    with _stage.Stage(tmp_path / "x.npz", "one", 2) as stage:
        stage.add(rows)
        assert stage.n_rows == 3
    with _stage.Stage(tmp_path / "x.npz", "one", 2) as stage:
        np.testing.assert_array_equal(stage.read(), rows)
    with _stage.Stage(tmp_path / "x.npz", "two", 2) as stage:
        assert stage.n_rows == 0
        assert stage.read().shape == (0, 2)


def test_two_calls_do_not_write_to_one_file(tmp_path):
    with (
        _stage.Stage(tmp_path / "x.npz", "one", 2),
        pytest.raises(ArgumentError, match="another call is writing"),
        _stage.Stage(tmp_path / "x.npz", "one", 2),
    ):
        pass


def test_a_planted_link_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".x.npz.part").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"), _stage.Stage(tmp_path / "x.npz", "k", 2):
        pass
    assert victim.read_text() == "mine"
