"""`skfer report --json`: how good a model is on labeled faces, as numbers."""

import json

import numpy as np
import pytest
from helpers import trees
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

import skfer
from skfer.cli import _scores, main
from skfer.cli.exit_codes import FAILED
from skfer.datasets import decode_images, make_expressions
from skfer.metrics import expected_calibration_error


@pytest.fixture(scope="module")
def table(faces_on_disk):
    """The options that name the faces of `faces_on_disk`, with their words and true names."""
    columns = ["--file-column", "path", "--label-column", "emotion"]
    return ["--labels", str(faces_on_disk / "labels.csv"), *columns, "--quiet"]


@pytest.fixture
def no_page(monkeypatch):
    """Whoever draws a page fails."""
    monkeypatch.setattr("skfer.cli._report.report", None)


@pytest.mark.usefixtures("no_page")
def test_scores_without_a_page(smile, table, faces_on_disk, tmp_path, capsys):
    path = tmp_path / "scores.json"
    assert main(["report", str(smile), *table, "--json", str(path)]) == 0
    record = json.loads(path.read_text())
    lines = (faces_on_disk / "labels.csv").read_text().splitlines()[1:]
    names, y = zip(*(line.split(",")[:2] for line in lines), strict=True)
    model = skfer.load(smile)
    images = decode_images([str(faces_on_disk / name) for name in names], image_size=16)
    predicted, y = model.predict(images), np.array(y)
    classes = np.unique(y).tolist()
    proba = model.predict_proba(images)
    assert record["scores"] == pytest.approx(
        {
            "accuracy": accuracy_score(y, predicted),
            "balanced_accuracy": np.mean([(predicted[y == c] == c).mean() for c in classes]),
            "macro_f1": f1_score(y, predicted, labels=classes, average="macro"),
            "ece": expected_calibration_error(y, proba, labels=model.classes_),
        }
    )
    assert record["recall"] == {c: (predicted[y == c] == c).mean() for c in classes}
    assert record["data"]["classes"] == dict.fromkeys(classes, 12)
    assert (record["data"]["dataset"], record["data"]["images"]) == ("table", 48)
    assert (record["skfer"], record["model"]) == (skfer.__version__, str(smile))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "48 faces"
    told = f"accuracy {record['scores']['accuracy']:.3f}, balanced accuracy "
    assert said[1].startswith(told)
    assert said[1].endswith(f", ECE {record['scores']['ece']:.3f}")


def test_scores_on_standard_output_come_alone(smile, table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skfer.cli._report.report", lambda model, faces, page: page)
    page = str(tmp_path / "x.html")
    assert main(["report", str(smile), *table, "--json", "-", "-o", page]) == 0
    captured = capsys.readouterr()
    assert set(json.loads(captured.out)) == {"skfer", "model", "data", "scores", "recall"}
    assert captured.err.splitlines()[0] == f"48 faces: {page}"


def test_scores_are_there_where_no_page_can_be_drawn(smile, table, tmp_path, capsys, monkeypatch):
    def without_matplotlib(model, faces, page):
        raise ImportError("install it")

    monkeypatch.setattr("skfer.cli._report.report", without_matplotlib)
    path = tmp_path / "x.json"
    words = ["report", str(smile), *table, "--json", str(path), "-o", str(tmp_path / "x.html")]
    assert main(words) == FAILED
    assert "error: install it" in capsys.readouterr().err
    assert path.exists()


@pytest.mark.usefixtures("no_page")
def test_something_is_to_be_written(smile, table, tmp_path, capsys):
    assert main(["report", str(smile), *table]) == FAILED
    assert capsys.readouterr().err == (
        "skfer: error: give -o PAGE, the page to write, or --json FILE for its numbers.\n"
    )
    both = str(tmp_path / "x")
    assert main(["report", str(smile), *table, "-o", both, "--json", both]) == FAILED
    assert "--output and --json are both" in capsys.readouterr().err
    assert main(["report", str(smile), *table, "--json", str(smile)]) == FAILED
    assert "is read, and would be lost" in capsys.readouterr().err


@pytest.mark.usefixtures("no_page")
@pytest.mark.filterwarnings("default:the model does not know:UserWarning")
def test_classes_that_a_model_does_not_know_are_missed(smile, tmp_path, capsys):
    trees.noise(tmp_path, [f"{word}/{i}.png" for word in ("happy", "bored") for i in range(4)])
    call = ["report", str(smile), "--dataset", "folder", "--root", str(tmp_path), "--json", "-"]
    assert main([*call, "--quiet"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["recall"]["bored"] == 0
    assert record["scores"]["ece"] is None
    assert "does not know the classes ['bored']" in captured.err
    assert "ECE" not in captured.err


def test_a_model_that_predicts_nothing_has_no_scores(smile, table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skfer.cli._report.can_be_scored", lambda model: False)
    monkeypatch.setattr("skfer.cli._report.report", lambda model, faces, page: page)
    assert main(["report", str(smile), *table, "--json", "-"]) == FAILED
    assert capsys.readouterr().err == (
        "skfer: error: --json: MODEL predicts no classes: leave it out.\n"
    )
    page = str(tmp_path / "x.html")
    assert main(["report", str(smile), *table, "-o", page]) == 0
    assert capsys.readouterr().out == f"48 faces: {page}\n"


def test_codes_are_scored_as_words_are():
    faces = make_expressions(4, 1, image_size=16, classes=["anger", "fear"], random_state=0)
    model = skfer.CrossEntropyEmbedder(max_epochs=1, random_state=0)
    model.fit(faces.images, faces.target)
    found = _scores.scores_of(model, faces)
    assert set(found["recall"]) == {"anger", "fear"}
    right = np.mean(model.predict(faces.images) == faces.target)
    assert found["scores"]["accuracy"] == pytest.approx(right)
    assert balanced_accuracy_score(faces.target, model.predict(faces.images)) == pytest.approx(
        np.mean(list(found["recall"].values()))
    )
