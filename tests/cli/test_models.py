"""Training a model, and what is done with one: predict, embed, info."""

import csv
import json
import os
from importlib import import_module

import numpy as np
import pytest
from helpers import trees
from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import skfer
from skfer.cli import _embed, _pictures, _predict, _stage, _tables, main
from skfer.cli.exit_codes import FAILED, INTERRUPTED, UNUSABLE
from skfer.datasets import decode_images, make_expressions
from skfer.embedders._within import embedders_in
from skfer.exceptions import ArgumentError
from skfer.preprocessing import FaceAligner

QUICK = ["--epochs", "2", "--image-size", "16", "--max-per-class", "6", "--quiet"]


@pytest.fixture(scope="module")
def smile(tmp_path_factory):
    """A model that has seen a few drawn faces."""
    path = tmp_path_factory.mktemp("model") / "smile.skfer"
    assert main(["train", *QUICK, "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve faces in two folders, and a text."""
    root = tmp_path_factory.mktemp("pictures")
    faces = make_expressions(2, 1, image_size=24, random_state=1)
    for i, image in enumerate(faces.images[:12]):
        path = root / ("b" if i % 2 else "a") / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    (root / "notes.txt").write_text("no picture")
    return root


def _names(folder):
    return [str(path) for path in sorted(folder.rglob("*.png"))]


def test_train_says_what_it_does(tmp_path, capsys, faces_on_disk):
    path = tmp_path / "smile.skfer"
    table = ["--labels", str(faces_on_disk / "labels.csv"), "--file-column", "path"]
    columns = ["--label-column", "emotion", "--group-column", "person"]
    assert main(["train", *QUICK, *table, *columns, "-o", str(path)]) == 0
    captured = capsys.readouterr()
    first, second, _, *last = captured.out.splitlines()
    assert first == "24 faces of 4 expressions, 12 subjects; gaussian"
    assert second.startswith("trained in ")
    assert last[0].startswith(f"Model: {path} (0.")
    assert last[1] == f"Try it: skfer predict {path} PICTURE ..."
    assert captured.err == ""
    assert os.listdir(tmp_path) == ["smile.skfer"]
    assert skfer.load(path).classes_.tolist() == ["anger", "happiness", "neutral", "surprise"]
    assert "datasets:" not in skfer.model_card(path)  # nobody knows what the table is called


def test_a_bar_shows_the_loss_and_is_not_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skfer.cli._output.sys.stderr.isatty", lambda: True)
    path = tmp_path / "smile.skfer"
    loud = [word for word in QUICK if word != "--quiet"]
    assert main(["train", *loud, "-o", str(path)]) == 0
    assert "0/2 [" in capsys.readouterr().err
    assert skfer.load(path).callbacks is None


def test_a_training_goes_on(tmp_path, capsys, monkeypatch):
    """With or without a bar: it is the same training."""
    command = ["train", *QUICK, "--checkpoint", str(tmp_path / "fits"), "-o"]
    assert main([*command, str(tmp_path / "first.skfer")]) == 0
    (file,) = (tmp_path / "fits").iterdir()
    written = file.stat().st_mtime_ns
    monkeypatch.setattr("skfer.cli._output.sys.stderr.isatty", lambda: True)
    command.remove("--quiet")
    assert main([*command, str(tmp_path / "again.skfer")]) == 0
    assert [file.stat().st_mtime_ns for file in (tmp_path / "fits").iterdir()] == [written]
    first, again = (skfer.load(tmp_path / f"{name}.skfer") for name in ("first", "again"))
    assert first.history_ == again.history_


@pytest.mark.parametrize("classifier", ["own", "knn", "svm", "logistic"])
def test_every_classifier_predicts_words(tmp_path, folder, capsys, classifier):
    path = tmp_path / "smile.skfer"
    some = ["--classifier", classifier, "--classes", "anger", "happiness"]
    assert main(["train", *QUICK, *some, "-o", str(path)]) == 0
    capsys.readouterr()
    assert main(["predict", str(path), str(folder), "--quiet"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == _names(folder)
    assert {line[1] for line in lines} <= {"anger", "happiness"}
    assert {len(line) for line in lines} == {2 if classifier == "svm" else 3}


def test_predictions_are_those_of_the_model(smile, folder, capsys):
    names = _names(folder)
    assert main(["predict", str(smile), str(folder), "--json", "-", "--quiet"]) == 0
    rows = json.loads(capsys.readouterr().out)
    model = skfer.load(smile)
    proba = model.predict_proba(decode_images(names, image_size=16))
    assert [row["file"] for row in rows] == names
    assert [row["label"] for row in rows] == model.classes_[proba.argmax(axis=1)].tolist()
    given = [list(row["probabilities"].values()) for row in rows]
    np.testing.assert_array_equal(given, proba)
    assert model.predict(names).tolist() == [row["label"] for row in rows]


def test_predictions_as_a_table(smile, folder, tmp_path, capsys):
    path = tmp_path / "x.csv"
    name = _names(folder)[0]
    assert main(["predict", str(smile), name, "nowhere.png", "--csv", str(path)]) == UNUSABLE
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert captured.err == "skfer: warning: nowhere.png: no such file\n"
    good, bad = csv.DictReader(path.read_text().splitlines())
    assert good["file"] == name
    assert float(good[good["label"]]) == float(good["probability"])
    assert (bad["label"], bad["error"]) == ("", "no such file")


@pytest.mark.parametrize(
    ("classes", "columns"),
    [
        (["anger", "label"], ["anger", "probability of label"]),
        (["error", "x0"], ["probability of error", "probability of x0"]),
        (
            ["label", "probability of label"],
            ["probability of probability of label", "probability of label"],
        ),
    ],
)
def test_each_column_of_a_table_has_a_name_of_its_own(classes, columns):
    face = {"file": "x.png", "face": 0, "box": None, "score": None, "error": None}
    row = {"label": classes[0], "probability": 0.75, "probabilities": {classes[0]: 0.75}}
    row["probabilities"][classes[1]] = 0.25
    (read,) = csv.DictReader(_predict._as_csv([face | row], classes).splitlines())
    usual = ["file", "face", "x0", "y0", "x1", "y1", "score", "label", "probability"]
    assert list(read) == [*usual, *columns, "error"]
    assert [read[column] for column in columns] == ["0.750000", "0.250000"]
    assert (read["label"], read["error"]) == (classes[0], "")


def test_two_outputs_do_not_share_standard_output(smile, folder, capsys):
    call = ["predict", str(smile), str(folder), "--csv", "-", "--json", "-"]
    assert main(call) == FAILED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "skfer: error: --json - and --csv - are both standard output, where they would be mixed: "
        "give a file for one of them.\n"
    )


def test_two_outputs_do_not_share_a_file(smile, folder, tmp_path, capsys):
    path = tmp_path / "out.txt"
    call = ["predict", str(smile), str(folder), "--csv", str(path), "--json"]
    assert main([*call, str(tmp_path / "." / "out.txt")]) == FAILED
    assert capsys.readouterr().err == (
        f"skfer: error: --json and --csv are both {path}: give another file for one of them.\n"
    )
    assert not path.exists()


def test_files_stand_as_they_are_given(smile, folder, capsys):
    first, second, *_ = reversed(_names(folder))
    assert main(["predict", str(smile), first, second]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [first, second]


def test_what_is_read_stays(smile, folder, tmp_path, capsys):
    """Neither the model nor a picture is written over, whatever the output is called."""
    model, own = tmp_path / "own.skfer", tmp_path / "own"
    model.write_bytes(smile.read_bytes())
    own.mkdir()
    for name in ("x", "y"):
        Image.open(_names(folder)[0]).save(own / f"{name}.jpg")
    before = {path: path.read_bytes() for path in (model, *own.iterdir())}
    first = str(own / "x.jpg")
    for words in (
        ["predict", str(model), first, "--json", str(model)],
        ["predict", str(model), first, "--csv", first],
        ["export", str(model), "--onnx", str(model)],
        ["report", str(model), "-o", str(model)],
        ["train", *QUICK, "-o", first],
    ):
        assert main(words) == FAILED, words
        assert "would be lost: give another name" in capsys.readouterr().err
    assert main(["predict", str(model), str(own), "--draw", str(own)]) == 0
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(os.listdir(own)) == ["x-2.jpg", "x.jpg", "y-2.jpg", "y.jpg"]


def test_names_that_are_no_utf8_are_told_or_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    assert json.loads(_predict._as_json([{"file": name}], [])) == [{"file": name}]
    _predict._as_json([{"file": name}], []).encode()
    for ending in (".npz", ".csv"):
        _tables.check_names(tmp_path / f"x{ending}", [name])
    with pytest.raises(ArgumentError, match=r"the name 'caf\\udce9\.png' is none"):
        _tables.check_names(tmp_path / "x.parquet", ["fine.png", name])


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_what_cannot_be_used_is_told(command, smile, tmp_path, capsys):
    def said(*words):
        more = ["-o", str(tmp_path / "x.npz")] if command == "embed" else []
        assert main([command, *words, *more]) == FAILED
        return capsys.readouterr().err

    assert f"no pictures in {tmp_path}: give files" in said(str(smile), str(tmp_path))
    other = tmp_path / "labels.csv"
    other.write_text("file,label\n")
    assert "is not a model file" in said(str(other), str(tmp_path))
    assert f"there is no file '{tmp_path}/none': give one that" in said(
        str(tmp_path / "none"), str(tmp_path)
    )


def _embedded(path):
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["filenames"].tolist(), arrays["embedding"]
    rows = list(csv.reader(path.read_text().splitlines()))
    return [row[0] for row in rows[1:]], np.array([row[1:] for row in rows[1:]], dtype=np.float32)


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_embeddings_are_those_of_the_model(smile, folder, tmp_path, capsys, ending):
    path = tmp_path / f"x{ending}"
    assert main(["embed", str(smile), str(folder), "-o", str(path), "--quiet"]) == 0
    assert capsys.readouterr().out == f"12 embeddings of 64 coordinates: {path}\n"
    names, embedding = _embedded(path)
    assert names == _names(folder)
    images = decode_images(names, image_size=16)
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(images))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.pyarrow
def test_parquet(smile, folder, tmp_path):
    parquet = import_module("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    assert main(["embed", str(smile), str(folder), "-o", str(path), "--quiet"]) == 0
    table = parquet.read_table(path).to_pydict()
    assert table["file"] == _names(folder)
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
    names = [*_names(folder)[:3], str(folder / "notes.txt"), "nowhere.png"]
    path = tmp_path / "x.npz"
    order = [names[0], names[3], names[1], names[4], names[2]]
    assert main(["embed", str(smile), *order, "-o", str(path)]) == UNUSABLE
    assert "no row for 2 pictures that could not be used: " in capsys.readouterr().err
    kept, embedding = _embedded(path)
    assert kept == names[:3]
    assert np.isfinite(embedding).all()


def test_an_array_of_pictures(smile, folder, tmp_path):
    images = decode_images(_names(folder), image_size=16)
    np.save(tmp_path / "faces.npy", images)
    path = tmp_path / "x.npz"
    assert main(["embed", str(smile), str(tmp_path / "faces.npy"), "-o", str(path)]) == 0
    names, embedding = _embedded(path)
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
    _, embedding = _embedded(path)
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
    _, embedding = _embedded(path)
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(new))


def test_an_array_of_the_same_name_is_another(smile, tmp_path, monkeypatch):
    images = make_expressions(2, 1, image_size=16, random_state=1).images
    path = tmp_path / "x.npz"
    first, second = _as_array(tmp_path / "a", images), _as_array(tmp_path / "b", images[::-1])
    for file in (first, second):
        os.utime(file, ns=(0, 0))
    _break_off(monkeypatch, ["embed", str(smile), str(first), "-o", str(path), "--quiet"])
    assert main(["embed", str(smile), str(second), "-o", str(path), "--quiet"]) == 0
    _, embedding = _embedded(path)
    np.testing.assert_array_equal(embedding, skfer.load(smile).transform(images[::-1]))


def test_a_picture_that_was_mended_is_tried_again(smile, folder, tmp_path, monkeypatch):
    path, picture = tmp_path / "x.npz", tmp_path / "picture.png"
    picture.write_bytes(b"")
    call = ["embed", str(smile), str(picture), _names(folder)[0], "-o", str(path), "--quiet"]
    _break_off(monkeypatch, call)
    picture.write_bytes((folder / "a" / "02.png").read_bytes())
    assert main(call) == 0
    names, _ = _embedded(path)
    assert sorted(names) == sorted([str(picture), _names(folder)[0]])


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


def test_a_model_of_rows_takes_no_pictures():
    X = np.random.RandomState(0).rand(20, 4)
    model = skfer.GaussianMetricEmbedder(max_epochs=1, random_state=0).fit(X, np.arange(20) % 2)
    with pytest.raises(ArgumentError, match="model was not trained on pictures"):
        _pictures.picture_shape(model)


def test_pictures_in_color(tmp_path, folder):
    path = tmp_path / "smile.skfer"
    assert main(["train", *QUICK, "--color", "-o", str(path)]) == 0
    assert skfer.load(path).input_shape_ == (16, 16, 3)
    assert main(["predict", str(path), str(folder)]) == 0


def test_info(smile, capsys):
    assert main(["info", str(smile)]) == 0
    out = capsys.readouterr().out
    assert "skfer" in out
    assert "anger" in out


def test_train_refuses_a_place_at_once(tmp_path, capsys):
    place = tmp_path / "none" / "x.skfer"
    assert main(["train", *QUICK, "-o", str(place)]) == FAILED
    assert f"--output {place}: there is no folder" in capsys.readouterr().err


def test_unlabeled_faces_are_told(tmp_path, capsys):
    trees.noise(tmp_path, [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(8)])
    trees.folder(tmp_path, ["unlabeled/1.png"])
    call = ["--dataset", "folder", "--root", str(tmp_path), "-o", str(tmp_path / "x.skfer")]
    assert main(["train", *QUICK, *call]) == 0
    assert "1 of 17 images have no label: they are left out." in capsys.readouterr().err


def _around(kind):
    """A model with embedders inside, unlike those that `skfer train` makes."""
    common = {"max_epochs": 1, "random_state": 0, "device": "cpu"}
    one, other = skfer.CrossEntropyEmbedder(**common), skfer.GaussianMetricEmbedder(**common)
    faces = make_expressions(6, 1, image_size=16, classes=["anger", "happiness"], random_state=0)
    X, y = faces.images, faces.target_names[faces.target]
    aligned = make_pipeline(FaceAligner(image_size=16), one)
    model = {
        "union": make_pipeline(make_union(one, other), KNeighborsClassifier(3)),
        "nested": make_pipeline(make_pipeline(one, "passthrough"), KNeighborsClassifier(3)),
        "frozen": CalibratedClassifierCV(FrozenEstimator(one.fit(X, y)), ensemble=False),
        "aligned": CalibratedClassifierCV(FrozenEstimator(aligned.fit(X, y)), ensemble=False),
        "folds": CalibratedClassifierCV(one, cv=2),
        "votes": VotingClassifier([("a", one), ("b", other)]),
    }[kind]
    return model.fit(X, y)


@pytest.mark.parametrize("kind", ["union", "nested", "frozen", "aligned", "folds", "votes"])
def test_embedders_inside_other_models(kind, tmp_path, folder, capsys):
    model, path, table = _around(kind), tmp_path / "x.skfer", tmp_path / "x.npz"
    skfer.save(model, path)
    whole = ["--no-detect"] if kind == "aligned" else []
    assert main(["predict", str(path), str(folder), "--json", "-", "--quiet", *whole]) == 0
    rows = json.loads(capsys.readouterr().out)
    images = decode_images(_names(folder), image_size=16)
    assert [row["label"] for row in rows] == model.predict(images).tolist()
    done = main(["embed", str(path), str(folder), "-o", str(table), "--quiet", *whole])
    if kind in ("folds", "votes"):
        assert done == FAILED
        assert "each embedder has an embedding of its own" in capsys.readouterr().err
        return
    assert done == 0
    _, embedding = _embedded(table)
    inner = model[0] if kind in ("union", "nested") else next(embedders_in(model))
    np.testing.assert_allclose(embedding, inner.transform(images), atol=1e-6)


def test_what_a_model_takes_is_said_as_it_is(tmp_path):
    rows, y = np.random.RandomState(0).rand(20, 4), np.arange(20) % 2
    model = make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(rows, y)
    with pytest.raises(ArgumentError, match="begins with StandardScaler, no embedder"):
        _pictures.picture_shape(model)
    images = np.zeros((20, 16, 17), np.uint8)
    images[::2, :8] = 255
    common = {"max_epochs": 1, "random_state": 0}
    one, other = (
        skfer.CrossEntropyEmbedder(**common).fit(some, y) for some in (images[:, :, 1:], images)
    )
    with pytest.raises(ArgumentError, match=r"several shapes: \(16, 16\) and \(16, 17\)"):
        _pictures.picture_shape(make_union(one, other))
    aligners = [make_pipeline(FaceAligner(image_size=16, margin=m), one) for m in (0.1, 0.2)]
    with pytest.raises(ArgumentError, match="several FaceAligners"):
        _pictures.reader_of(make_union(*aligners), None)


def test_numbers_are_predicted_too(tmp_path, folder, capsys):
    faces = make_expressions(6, 1, image_size=16, random_state=0)
    embedder = skfer.CrossEntropyEmbedder(max_epochs=1, random_state=0)
    embedder.fit(faces.images, faces.target)
    model = make_pipeline(FrozenEstimator(embedder), KNeighborsRegressor())
    skfer.save(model.fit(faces.images, faces.intensity), tmp_path / "x.skfer")
    assert main(["predict", str(tmp_path / "x.skfer"), str(folder), "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    wanted = model.predict(decode_images(_names(folder), image_size=16))
    np.testing.assert_allclose([float(row["label"]) for row in rows], wanted)


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
    assert main(["predict", str(smile), str(folder), "--csv", str(path), "--quiet"]) == INTERRUPTED
    assert "written are 4 of 12 pictures" in capsys.readouterr().err
    with path.open() as file:
        assert [row["file"] for row in csv.DictReader(file)] == n_read
