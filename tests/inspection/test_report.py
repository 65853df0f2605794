"""One page with all that there is to see."""

import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils import Bunch, check_random_state
from torch import nn

import skfer
from skfer.embedders import WithLabels
from skfer.exceptions import ArgumentError
from skfer.inspection import _report, report
from skfer.inspection._models import answers
from skfer.nets.embedding import EmbeddingNet

COMMON = ["Scores", "Training", "Embedding", "Nearest faces", "Where it looks"]


def titles(page):
    return re.findall("<h2>(.*?)</h2>", page)


def test_page_of_a_classifier(faces, gaussian, tmp_path):
    path = report(gaussian, faces, tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    more = ["Confusion", "Classes and sub-classes", "Reliability"]
    assert sorted(titles(page)) == sorted([*COMMON, *more])
    assert "anger 16, happiness 16" in page
    assert "of 8 persons" in page
    # The model was fitted on these very faces, which it cannot know.
    scores = page[page.index("<h2>Scores") : page.index("<h2>Confusion")]
    assert "</table><p>They tell about new persons only if the model was trained on none" in scores
    # It holds all that it shows: no address, no script, and every picture has words beside it.
    assert "://" not in page
    assert "<script" not in page
    assert (
        page.count("<img alt=")
        == page.count('src="data:image/png;base64,')
        == len(titles(page)) - 1
    )
    HTMLParser().feed(page)
    assert plt.get_fignums() == []
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_page_of_a_dozen_faces_of_two_classes(tmp_path):
    many = skfer.datasets.make_expressions(4, 1, image_size=24, random_state=0)
    model = skfer.CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    model.fit(many.images, many.target)  # it predicts classes that the faces do not have
    two = skfer.datasets.make_expressions(
        6, 1, classes=["anger", "happiness"], image_size=24, random_state=1
    )
    page = report(model, two, tmp_path / "report.html").read_text(encoding="utf-8")
    predicted = model.predict(two.images)
    own = [np.mean(predicted[two.target == code] == code) for code in np.unique(two.target)]
    assert f"<th>balanced accuracy</th><td>{np.mean(own):.3f}</td>" in page


def test_page_of_a_pipeline_with_unlabeled_faces(faces, multi_threshold, tmp_path):
    model = make_pipeline(multi_threshold, KNeighborsClassifier(3))
    model.fit(faces.images, faces.target)
    some = Bunch(**faces)
    some.target = np.where(np.arange(len(faces.target)) % 5 == 0, -1, faces.target)
    some.groups = None
    path = report(model, some, str(tmp_path / "report.html"))
    found = titles(path.read_text(encoding="utf-8"))
    assert sorted(found) == sorted([*COMMON, "Confusion", "Thresholds", "Reliability"])


def test_page_of_a_model_of_words_without_a_map(faces, tmp_path):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(24 * 24, 6))
    model = skfer.CrossEntropyEmbedder(8, backbone=flat, max_epochs=1, random_state=0)
    model.fit(faces.images, faces.target_names[faces.target])
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Where it looks" not in titles(page)
    assert "Nearest faces" in titles(page)


def test_a_report_leaves_the_generator_and_has_the_mode_of_a_file(faces, gaussian, tmp_path):
    other = tmp_path / "other.html"
    other.write_text("")
    generator = check_random_state(None)
    before = generator.get_state()[1].copy()
    page = report(gaussian, faces, tmp_path / "report.html")
    assert (generator.get_state()[1] == before).all()
    assert page.stat().st_mode == other.stat().st_mode
    with pytest.raises(ArgumentError, match="is a folder: name a file in it"):
        report(gaussian, faces, tmp_path)


@pytest.mark.parametrize(
    ("name", "passes"), [("multi_threshold", 4), ("triplet_center", 3), ("gaussian", 5)]
)
def test_a_face_passes_the_network_a_few_times(faces, name, passes, request, monkeypatch, tmp_path):
    model = request.getfixturevalue(name)
    seen, forward = [], EmbeddingNet.forward

    def counted(self, images, *args, **kwargs):
        seen.append(len(images))
        return forward(self, images, *args, **kwargs)

    monkeypatch.setattr(EmbeddingNet, "forward", counted)
    report(model, faces, tmp_path / "report.html")
    a_face_and_its_padding = 64 + 8  # tried once, to tell whether there is a map
    assert sum(seen) <= passes * len(faces.images) + a_face_and_its_padding


def test_images_that_are_all_labeled_are_not_copied(faces, gaussian, monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(_report, "answers", lambda model, X: given.append(X) or answers(model, X))
    report(gaussian, faces, tmp_path / "report.html")
    assert given[0] is faces.images


def test_what_cannot_be_reported_leaves_the_old_page(faces, gaussian, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(ArgumentError, match="bunch must have images"):
        report(gaussian, Bunch(data=faces.data), path)
    one = Bunch(images=faces.images, target=np.zeros(len(faces.images), dtype=int))
    with pytest.raises(ArgumentError, match="at least two labeled classes"):
        report(gaussian, one, path)
    with pytest.raises(ArgumentError, match="a folder that does not exist"):
        report(gaussian, faces, tmp_path / "none" / "report.html")
    with pytest.raises(ArgumentError, match="estimator"):
        report(KNeighborsClassifier().fit([[0], [1]], [0, 1]), faces, path)
    assert path.read_text() == "old"


def test_page_of_embedders_side_by_side(faces, multi_threshold, triplet_center, tmp_path):
    union = make_union(FrozenEstimator(multi_threshold), FrozenEstimator(triplet_center))
    model = make_pipeline(union, KNeighborsClassifier(3)).fit(faces.images, faces.target)
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    wanted = ["Scores", "Confusion", "Training", "Embedding", "Nearest faces", "Reliability"]
    assert titles(page) == wanted
    assert "Thresholds, where it looks, and sub-classes are of one embedder, and not shown" in page
    assert "  - MultiThresholdEmbedder(" in page


def test_page_of_a_mean_of_folds(faces, tmp_path):
    embedder = skfer.CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    model = CalibratedClassifierCV(embedder, cv=2).fit(faces.images, faces.target)
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    assert titles(page) == ["Scores", "Confusion", "Training", "Reliability"]
    assert "<th>recall@1</th>" not in page
    assert "<p>Embedding, nearest faces, thresholds, where it looks" in page


def two_in_a_class(faces):
    """An embedder that has found the two expressions in each of two classes, which are words."""
    more = skfer.datasets.make_expressions(
        12, 3, image_size=24, classes=faces.class_names.tolist(), nuisance=0, random_state=0
    )
    settings = {"max_epochs": 6, "max_subclasses": 2, "random_state": 0}
    is_first = np.isin(more.target, np.unique(more.target)[[0, -1]])
    model = skfer.GaussianMetricEmbedder(4, **settings)
    model.fit(more.images, np.where(is_first, "anger", "happiness"))
    assert model.n_subclasses_.tolist() == [2, 2]
    return model


@pytest.mark.parametrize("kind", ["gaussian", "triplet_center", "multi_threshold", "sub-classes"])
def test_page_of_faces_of_a_class_that_the_model_does_not_know(faces, kind, request, tmp_path):
    more = skfer.datasets.make_expressions(
        4, 1, image_size=24, classes=["anger", "happiness", "contempt"], random_state=1
    )
    model = two_in_a_class(faces) if kind == "sub-classes" else request.getfixturevalue(kind)
    if kind == "multi_threshold":
        model = make_pipeline(FrozenEstimator(model), KNeighborsClassifier(3))
        model.fit(faces.images, faces.target)
    page = report(model, more, tmp_path / "report.html").read_text(encoding="utf-8")
    assert {"Scores", "Confusion", "Reliability"} <= set(titles(page))
    assert "contempt 4" in page


def test_page_of_a_model_that_was_not_trained_here(tmp_path):
    faces = skfer.datasets.make_expressions(4, 1, random_state=0)
    model = skfer.load_expression_model()[1:]
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Training" not in titles(page)
    assert "Reliability" in titles(page)


def test_a_page_names_no_folders(faces, tmp_path):
    model = skfer.CrossEntropyEmbedder(
        8, max_epochs=1, random_state=0, checkpoint=tmp_path / "fits"
    ).fit(faces.images, faces.target)
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "CrossEntropyEmbedder(embedding_dim=8, max_epochs=1, random_state=0)" in page
    assert str(tmp_path) not in page


def test_numbers_are_not_reported_as_classes(faces, multi_threshold, tmp_path):
    model = make_pipeline(FrozenEstimator(multi_threshold), KNeighborsRegressor())
    model.fit(faces.images, faces.target / 2)
    with pytest.raises(ArgumentError, match="model predicts numbers, not classes"):
        report(model, faces, tmp_path / "report.html")


def test_page_of_an_embedder_of_labels_beside_the_target(faces, tmp_path):
    embedder = skfer.CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    model = WithLabels(embedder).fit(faces.images, faces.target)
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    wanted = ["Scores", "Training", "Embedding", "Nearest faces", "Where it looks"]
    assert titles(page) == wanted


def test_page_of_sub_classes_of_other_labels(faces, tmp_path):
    """Faces have no sub-class where the embedder has learned who is shown."""
    embedder = skfer.GaussianMetricEmbedder(8, max_epochs=1, random_state=0)
    model = WithLabels(embedder).fit(faces.images, faces.target, labels=faces.groups + 10)
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Classes and sub-classes" not in titles(page)
    model.fit(faces.images, faces.target)
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Classes and sub-classes" in titles(page)
