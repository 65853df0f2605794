"""Training a model, and what is done with one: predict, embed, info."""

import csv
import json
import os
import re
from importlib import import_module

import numpy as np
import pytest
from helpers import trees
from helpers.calls import TRAINED, embedded, pictures_in
from PIL import Image
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import skfer
from skfer.cli import _output, _pictures, _predict, _tables, main
from skfer.cli.exit_codes import FAILED, UNUSABLE
from skfer.datasets import decode_images, make_expressions
from skfer.embedders.composed._within import embedders_in
from skfer.exceptions import ArgumentError
from skfer.preprocessing import FaceAligner


def test_train_says_what_it_does(tmp_path, capsys, faces_on_disk):
    path = tmp_path / "smile.skfer"
    table = ["--labels", str(faces_on_disk / "labels.csv"), "--file-column", "path"]
    columns = ["--label-column", "emotion", "--group-column", "person"]
    assert main(["train", *TRAINED, *table, *columns, "-o", str(path)]) == 0
    captured = capsys.readouterr()
    first, second, _, *last = captured.out.splitlines()
    assert first == "24 faces of 4 expressions, 12 subjects; gaussian"
    assert second.startswith("trained in ")
    assert last[0].startswith(f"Model: {path} (0.")
    assert last[1] == f"Try it: skfer predict {path} PICTURE ..."
    assert captured.err == ""
    assert os.listdir(tmp_path) == ["smile.skfer"]
    assert skfer.load(path).classes_.tolist() == ["anger", "happiness", "neutral", "surprise"]
    card = skfer.model_card(path)
    assert "datasets:" not in card  # of which hubs know
    assert "- Table: labels.csv\n" in card
    assert str(faces_on_disk) not in card


def test_the_card_names_a_folder_and_not_where_it_is(tmp_path, capsys, faces_on_disk, monkeypatch):
    monkeypatch.chdir(faces_on_disk)
    path = tmp_path / "smile.skfer"
    assert main(["train", *TRAINED, "--dataset", "folder", "--root", ".", "-o", str(path)]) == 0
    card = skfer.model_card(path)
    assert f"- Folder: {faces_on_disk.name}\n" in card
    assert str(faces_on_disk) not in card


def test_a_bar_shows_how_far_it_is_and_is_not_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skfer.cli._output.sys.stderr.isatty", lambda: True)
    path = tmp_path / "smile.skfer"
    loud = [word for word in TRAINED if word != "--quiet"]
    assert main(["train", *loud, "-o", str(path)]) == 0
    bars = re.findall(r"(\d+)/(\d+) \[.*batch/s", capsys.readouterr().err)
    assert bars[0][0] == "0"
    assert int(bars[0][1]) % 2 == 0  # so many batches in two epochs
    assert skfer.load(path).callbacks is None


def test_as_many_epochs_as_usual_on_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skfer.cli._output.sys.stderr.isatty", lambda: True)
    few = ["--max-per-class", "6", "--classes", "anger", "happiness", "--image-size", "16"]
    assert main(["train", *few, "-o", str(tmp_path / "smile.skfer")]) == 0
    said = capsys.readouterr()
    total = int(re.search(r" 0/(\d+) \[", said.err)[1])
    assert total % 160 == 0
    assert "160 epochs" in said.out


def test_a_training_goes_on(tmp_path, capsys, monkeypatch):
    """With or without a bar: it is the same training."""
    command = ["train", *TRAINED, "--checkpoint", str(tmp_path / "fits"), "-o"]
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
    assert main(["train", *TRAINED, *some, "-o", str(path)]) == 0
    capsys.readouterr()
    assert main(["predict", str(path), str(folder), "--quiet"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == pictures_in(folder)
    assert {line[1] for line in lines} <= {"anger", "happiness"}
    assert {len(line) for line in lines} == {2 if classifier == "svm" else 3}


def test_predictions_are_those_of_the_model(smile, folder, capsys):
    names = pictures_in(folder)
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
    name = pictures_in(folder)[0]
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


def test_an_output_that_cannot_be_written_costs_no_other(
    smile, folder, tmp_path, capsys, monkeypatch
):
    """What was predicted is told wherever it can be; what could not be written, at the end."""

    real = _output.replaced

    def full(path):
        if path.suffix == ".json":
            raise OSError(28, "No space left on device", str(path))
        return real(path)

    monkeypatch.setattr(_output, "replaced", full)
    path, drawn = tmp_path / "out.csv", tmp_path / "drawn"
    call = ["predict", str(smile), str(folder), "nowhere.png", "--quiet", "--draw", str(drawn)]
    assert main([*call, "--json", str(tmp_path / "x.json"), "--csv", str(path)]) == FAILED
    captured = capsys.readouterr()
    names = [*pictures_in(folder), "nowhere.png"]
    assert [row["file"] for row in csv.DictReader(path.read_text().splitlines())] == names
    assert [line.split()[0] for line in captured.out.splitlines()[:-1]] == names
    assert len([*drawn.iterdir()]) == len(names) - 1
    assert captured.err.splitlines() == [
        "skfer: warning: nowhere.png: no such file",
        f"skfer: error: --json {tmp_path / 'x.json'} could not be written: No space left on "
        "device.",
    ]


def test_of_several_outputs_that_fail_each_is_told(capsys):
    def fails(text):
        raise ValueError(text)

    done = []
    with pytest.raises(ValueError, match=r"^first$"):
        _output.all_tried(
            lambda: fails("first"), lambda: fails("second"), lambda: done.append("third")
        )
    assert done == ["third"]
    assert capsys.readouterr().err == "skfer: warning: second\n"


def test_files_stand_as_they_are_given(smile, folder, capsys):
    first, second, *_ = reversed(pictures_in(folder))
    assert main(["predict", str(smile), first, second]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [first, second]


def test_what_is_read_stays(smile, folder, tmp_path, capsys):
    """Neither the model nor a picture is written over, whatever the output is called."""
    model, own = tmp_path / "own.skfer", tmp_path / "own"
    model.write_bytes(smile.read_bytes())
    own.mkdir()
    for name in ("x", "y"):
        Image.open(pictures_in(folder)[0]).save(own / f"{name}.jpg")
    before = {path: path.read_bytes() for path in (model, *own.iterdir())}
    first = str(own / "x.jpg")
    for words in (
        ["predict", str(model), first, "--json", str(model)],
        ["predict", str(model), first, "--csv", first],
        ["export", str(model), "--onnx", str(model)],
        ["report", str(model), "-o", str(model)],
        ["train", *TRAINED, "-o", first],
    ):
        assert main(words) == FAILED, words
        assert "would be lost: give another name" in capsys.readouterr().err
    pictures = [str(path) for path in sorted(own.iterdir())]
    assert main(["predict", str(model), *pictures, "--draw", str(own)]) == 0
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


def test_a_model_of_rows_takes_no_pictures():
    X = np.random.RandomState(0).rand(20, 4)
    model = skfer.GaussianMetricEmbedder(max_epochs=1, random_state=0).fit(X, np.arange(20) % 2)
    with pytest.raises(ArgumentError, match="model was not trained on pictures"):
        _pictures.picture_shape(model)


def test_pictures_in_color(tmp_path, folder):
    path = tmp_path / "smile.skfer"
    assert main(["train", *TRAINED, "--color", "-o", str(path)]) == 0
    assert skfer.load(path).input_shape_ == (16, 16, 3)
    assert main(["predict", str(path), str(folder)]) == 0


def test_info(smile, capsys):
    assert main(["info", str(smile)]) == 0
    out = capsys.readouterr().out
    assert "skfer" in out
    assert "anger" in out
    assert main(["info"]) == 0
    assert "skfer's model of expressions" in capsys.readouterr().out


def test_train_refuses_a_place_at_once(tmp_path, capsys):
    place = tmp_path / "none" / "x.skfer"
    assert main(["train", *TRAINED, "-o", str(place)]) == FAILED
    assert f"--output {place}: there is no folder" in capsys.readouterr().err


def test_unlabeled_faces_are_told(tmp_path, capsys):
    trees.noise(tmp_path, [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(8)])
    trees.folder(tmp_path, ["unlabeled/1.png"])
    call = ["--dataset", "folder", "--root", str(tmp_path), "-o", str(tmp_path / "x.skfer")]
    assert main(["train", *TRAINED, *call]) == 0
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
    images = decode_images(pictures_in(folder), image_size=16)
    assert [row["label"] for row in rows] == model.predict(images).tolist()
    done = main(["embed", str(path), str(folder), "-o", str(table), "--quiet", *whole])
    if kind in ("folds", "votes"):
        assert done == FAILED
        assert "each embedder has an embedding of its own" in capsys.readouterr().err
        return
    assert done == 0
    _, embedding = embedded(table)
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
    wanted = model.predict(decode_images(pictures_in(folder), image_size=16))
    assert [row["label"] for row in rows] == pytest.approx(wanted)


class _Dimmed(RegressorMixin, BaseEstimator):
    """Says numbers of pictures."""

    def predict(self, X):
        return np.array([[0, 1], [0.3, 2 / 3]], dtype=np.float32)


def test_numbers_stand_as_such(tmp_path):
    """In float32 as they are there, 0 as 0, and several of one picture as a list."""
    rows = [
        {"file": "a", "face": 0, "box": None, "score": None, "error": None, **answer}
        for answer in _predict._answers(_Dimmed(), None)
    ]
    told = json.loads(_predict._as_json(rows, ()))
    assert [row["label"] for row in told] == [[0.0, 1.0], [0.3, 0.6666667]]
    assert _predict._as_text(rows).splitlines() == ["a  0 1", "a  0.3 0.6667"]
    table = list(csv.DictReader(_predict._as_csv(rows, ()).splitlines()))
    assert [row["label"] for row in table] == ["0.0 1.0", "0.3 0.6666667"]
    rows[0]["label"] = 0.0
    assert _predict._as_text(rows[:1]) == "a  0"
    assert next(csv.DictReader(_predict._as_csv(rows[:1], ()).splitlines()))["label"] == "0.0"


def test_numbers_are_drawn_too(tmp_path, folder):
    faces = make_expressions(6, 1, image_size=16, random_state=0)
    embedder = skfer.CrossEntropyEmbedder(max_epochs=1, random_state=0)
    embedder.fit(faces.images, faces.target)
    model = make_pipeline(FrozenEstimator(embedder), KNeighborsRegressor())
    skfer.save(model.fit(faces.images, faces.intensity), tmp_path / "x.skfer")
    picture = pictures_in(folder)[0]
    call = ["predict", str(tmp_path / "x.skfer"), str(picture), "--draw", str(tmp_path / "drawn")]
    assert main(call) == 0
    assert len(os.listdir(tmp_path / "drawn")) == 1


def test_numbers_that_name_classes_are_words():
    X = np.random.RandomState(0).rand(20, 4)
    model = LinearSVC().fit(X, np.arange(20) % 2 + 1)
    assert {answer["label"] for answer in _predict._answers(model, X)} <= {"1", "2"}


def test_classes_of_ones_own_are_trusted_by_name(tmp_path, folder, monkeypatch, capsys):
    """A model with a network of one's own is used as any other, once its class is named."""
    (tmp_path / "my_networks.py").write_text(
        "from torch import nn\n\n\n"
        "class Flat(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(256, 8))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    network = import_module("my_networks").Flat()
    faces = make_expressions(3, 1, image_size=16, random_state=0)
    model = skfer.CrossEntropyEmbedder(8, backbone=network, max_epochs=1, random_state=0)
    path, rows = tmp_path / "own.skfer", tmp_path / "rows.npz"
    skfer.save(model.fit(faces.images, faces.target), path)
    embed = ["embed", str(path), str(folder), "-o", str(rows), "--quiet"]
    assert main(embed) == FAILED
    assert "give --trusted 'my_networks.Flat'." in capsys.readouterr().err
    assert main([*embed, "--trusted", "my_networks.Flat"]) == 0
    assert embedded(rows)[1].shape == (12, 8)
    # What stands behind the names is a place, and no name.
    first = ["embed", "--trusted", "other.A,my_networks.Flat", str(path), str(folder)]
    assert main([*first, "-o", str(rows), "--quiet"]) == 0


@pytest.mark.parametrize(
    "words",
    [["predict", "x.png"], ["embed", "x.png", "-o", "x.npz"], ["export", "--onnx", "x.onnx"]],
)
def test_trust_belongs_to_a_model(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--trusted", "a.B"]) == FAILED
    assert capsys.readouterr().err == (
        "skfer: error: --trusted belongs to a model of your own: give MODEL.\n"
    )
    assert not list(tmp_path.iterdir())
