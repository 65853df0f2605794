"""What the Bunches show of themselves."""

import base64
import copy
import io
import pickle
import re

import numpy as np
import pytest
from helpers import trees
from helpers.copies import ALL, IDS
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay, classification_report, confusion_matrix
from sklearn.utils import Bunch

from skfer.datasets import DATASETS, load_image_table, make_expressions


@pytest.fixture(scope="module")
def faces():
    return make_expressions(4, 1, classes=["happiness", "anger", "surprise"], random_state=0)


def strip_of(faces):
    """The picture in the form for notebooks."""
    encoded = re.search('src="data:image/png;base64,([^"]+)"', faces._repr_html_())[1]
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def test_text(faces):
    assert repr(faces).splitlines() == [
        "Drawn faces that show expressions",
        "  images: 12 of 48 x 48 pixels, gray",
        "  classes: anger 4, happiness 4, surprise 4",
        "  groups: 4 subjects",
        "  keys: images, data, target, target_names, class_names, groups, subclass, intensity,",
        "    action_units, glasses, beard, skin, group_kind, subclass_names, action_unit_names, "
        "DESCR",
    ]
    assert str(faces) == repr(faces)


def test_class_names_fit_what_is_there(faces):
    assert faces.class_names.tolist() == ["anger", "happiness", "surprise"]
    assert len(faces.class_names) == len(np.unique(faces.target))
    # Where eight names for three classes are an error.
    report = classification_report(faces.target, faces.target, target_names=faces.class_names)
    assert all(word in report for word in faces.class_names)
    matrix = confusion_matrix(faces.target, faces.target)
    pytest.importorskip("matplotlib").use("agg")
    drawn = ConfusionMatrixDisplay(matrix, display_labels=faces.class_names).plot()
    labels = [label.get_text() for label in drawn.ax_.get_xticklabels()]
    assert labels == ["anger", "happiness", "surprise"]


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_every_set(tmp_path, name, make):
    make(tmp_path)
    faces = DATASETS[name].loader(tmp_path, image_size=(16, 20), color=True)
    assert isinstance(faces, Bunch)
    found = np.unique(faces.target[faces.target >= 0])
    assert faces.class_names.tolist() == faces.target_names[found].tolist()
    text = repr(faces)
    assert f"images: {len(faces.images)} of 20 x 16 pixels, color" in text
    for word in faces.class_names:
        assert f"{word} {(faces.target_names[faces.target] == word).sum()}" in text
    assert ("split:" in text) == (faces.split is not None)
    assert (f"groups: {len(np.unique(faces.groups))} {faces.group_kind}" in text) == (
        faces.groups is not None
    )
    assert max(map(len, text.splitlines())) <= 100
    again = pickle.loads(pickle.dumps(faces))
    assert (type(again), repr(again)) == (type(faces), text)
    assert repr(copy.deepcopy(faces)) == text
    strip = strip_of(faces)
    assert (strip.mode, strip.height, strip.width % 80) == ("RGB", 64, 0)


def test_the_strip_has_a_face_of_each_class_first(faces):
    strip = np.asarray(strip_of(faces))
    assert strip.shape == (64, 640)
    for place, code in enumerate(np.unique(faces.target)):
        face = Image.fromarray(faces.images[faces.target == code][0])
        expected = np.asarray(face.resize((64, 64), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(strip[:, 64 * place : 64 * (place + 1)], expected)
    assert 'alt="Faces: anger, happiness, surprise"' in faces._repr_html_()


def test_the_strip_is_no_wider_than_the_page(faces):
    assert re.search("<img [^>]*style='max-width: 100%'", faces._repr_html_())


def test_html_is_escaped_and_names_what_is_unlabeled_and_left_out(tmp_path):
    rows = [(f"{i}.png", "<b>", "p") for i in range(3)] + [
        ("3.png", "unlabeled", "p"),
        ("4.png", "x", "p"),
    ]
    trees.folder(tmp_path, [name for name, *_ in rows[:4]])
    trees.table(tmp_path / "t.csv", ("file", "label", "person"), rows)
    with pytest.warns(UserWarning, match="no such file"):
        faces = load_image_table(tmp_path / "t.csv", group_column="person", on_error="skip")
    text, markup = repr(faces), faces._repr_html_()
    assert "classes: <b> 3, unlabeled 1" in text
    assert "skipped: 1" in text
    assert "&lt;b&gt; 3, unlabeled 1" in markup
    assert "<b> 3" not in markup
    assert faces.class_names.tolist() == ["<b>"]


def test_many_classes_are_counted(tmp_path):
    trees.folder(tmp_path, [f"{i}.png" for i in range(15)])
    trees.table(tmp_path / "t.csv", ("file", "label"), [(f"{i}.png", f"c{i}") for i in range(15)])
    assert "c5 1, c6 1, and 3 more\n" in repr(load_image_table(tmp_path / "t.csv"))


def test_a_bunch_without_its_images_shows_its_keys(faces):
    left = copy.copy(faces)
    del left["images"], left["data"]
    assert repr(left).startswith("Faces(target, target_names,")
    assert "target_names" in left._repr_html_()
