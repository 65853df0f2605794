"""One page with all that there is to see."""

import re
import warnings
from html import escape
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.two_in_a_class import two_in_a_class
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils import Bunch, check_random_state
from torch import nn

import skfer
from skfer.embedders import WithLabels
from skfer.exceptions import ArgumentError
from skfer.inspection import _report, label_issues, report
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
    assert "64 faces of 8 persons (<bdi>anger</bdi>: 16, <bdi>happiness</bdi>: 16, " in page
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


@pytest.mark.parametrize("kind", ["gaussian", "triplet_center", "multi_threshold", "sub-classes"])
def test_page_of_faces_of_a_class_that_the_model_does_not_know(faces, kind, request, tmp_path):
    more = skfer.datasets.make_expressions(
        4, 1, image_size=24, classes=["anger", "happiness", "contempt"], random_state=1
    )
    model = two_in_a_class(faces) if kind == "sub-classes" else request.getfixturevalue(kind)
    if kind == "multi_threshold":
        model = make_pipeline(FrozenEstimator(model), KNeighborsClassifier(3))
        model.fit(faces.images, faces.target)
    with pytest.warns(UserWarning, match="the model does not know the classes"):
        page = report(model, more, tmp_path / "report.html").read_text(encoding="utf-8")
    assert {"Scores", "Confusion", "Reliability"} <= set(titles(page))
    assert "<bdi>contempt</bdi>: 4" in page
    assert re.search("The model does not know (1|contempt): it is wrong of each such face", page)


def test_words_of_one_meaning_are_one_class(tmp_path):
    """A model of one's own words is reported on as well as one of the vocabulary's."""
    some = skfer.datasets.make_expressions(
        6, 1, image_size=24, classes=["anger", "happiness", "neutral"], random_state=0
    )
    mine = {"anger": "Angry", "happiness": "joy", "neutral": "neutral"}
    words = some.target_names[some.target]
    model = skfer.CrossEntropyEmbedder(8, max_epochs=4, random_state=0)
    model.fit(some.images, [mine[word] for word in words])
    tables = []
    for y in (words, [mine[word] for word in words]):
        bunch = Bunch(images=some.images, target=np.array(y))
        page = report(model, bunch, tmp_path / "report.html").read_text(encoding="utf-8")
        tables.append(re.search("<table>.*?</table>", page)[0])
    assert tables[0] == tables[1]
    coded = report(model, some, tmp_path / "report.html").read_text(encoding="utf-8")
    assert tables[0].split("<tr><th>recall@1")[0] in coded  # which names persons too
    for unlike in (["sad", "awe", "neutral"], ["sad", "awe", "glee"]):
        target = np.array(unlike)[np.unique(words, return_inverse=True)[1]]
        bunch = Bunch(images=some.images, target=target)
        if "neutral" in unlike:
            with pytest.warns(UserWarning, match=r"not know the classes \['awe', 'sad'\]"):
                report(model, bunch, tmp_path / "report.html")
        else:
            with pytest.raises(ArgumentError, match="of which model knows none: it knows"):
                report(model, bunch, tmp_path / "report.html")


def test_page_of_a_model_that_was_not_trained_here(tmp_path):
    faces = skfer.datasets.make_expressions(4, 1, random_state=0)
    model = skfer.load_expression_model()[1:]
    faces.group_kind = "different images"  # as of a set that does not name persons
    page = report(model, faces, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "32 faces of 4 different images (" in page
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


def of_one_person(faces, rows):
    return Bunch(
        images=faces.images[rows],
        target=faces.target[rows],
        target_names=faces.target_names,
        groups=np.zeros(len(rows), dtype=int),
    )


@pytest.mark.parametrize("n", [64, 4], ids=["several of a class", "one of each class"])
def test_page_of_one_person(faces, multi_threshold, n, tmp_path):
    """What is not to be had of these faces is told, and the rest is shown."""
    rows = np.arange(64) if n == 64 else np.unique(faces.target, return_index=True)[1]
    one = of_one_person(faces, rows)
    page = report(multi_threshold, one, tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{n} faces of 1 person (" in page
    assert {"Embedding", "Nearest faces", "Thresholds", "Where it looks"} < set(titles(page))
    assert page.count("<img alt=") == len(titles(page)) - 3
    assert "<th>recall@1</th><td>-</td>" in page
    assert "<th>MAP@R</th><td>-</td>" in page
    assert "<p>No face has another of its class by another person, so there is nothing" in page
    assert "<p>No picture: The set shows one person, and faces of others are what is" in page
    assert "<p>No picture: The set has no two faces of the same class (and of diff" in page
    assert "nan" not in re.sub('base64,[^"]*', "", page)
    assert plt.get_fignums() == []


def test_page_of_a_face_of_each_class_by_nobody_known(faces, multi_threshold, tmp_path):
    rows = np.unique(faces.target, return_index=True)[1]
    some = Bunch(images=faces.images[rows], target=faces.target[rows])
    page = report(multi_threshold, some, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<p>No face has another of its class, so there is nothing to find" in page
    counts = ", ".join(f"<bdi>{code}</bdi>: 1" for code in np.unique(faces.target))
    assert f"<p>4 faces ({counts}).</p>" in page


NAMES = ["$cash$ & co", "$x_{$", "<b>joy</b>", "a_name_of_more_than_twenty-eight_characters"]


def test_page_of_names_that_are_no_mathematics(faces, multi_threshold, tmp_path):
    named = Bunch(**faces)
    named.target_names = faces.target_names.astype("U60")
    named.target_names[np.unique(faces.target)] = NAMES
    page = report(multi_threshold, named, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<bdi>$x_{$</bdi>: 16" in page
    assert "<bdi>&lt;b&gt;joy&lt;/b&gt;</bdi>: 16" in page
    assert page.count("<img alt=") == len(titles(page)) - 1


def test_a_figure_that_cannot_be_drawn_is_closed(faces, gaussian, monkeypatch, tmp_path):
    mine = plt.figure()

    def fails(*args):
        plt.figure()
        raise ValueError("no such thing")

    monkeypatch.setattr(_report, "_confusion", fails)
    with pytest.raises(ValueError, match="no such thing"):
        report(gaussian, faces, tmp_path / "report.html")
    assert plt.get_fignums() == [mine.number]
    assert not list(tmp_path.iterdir())


def test_the_font_of_the_caller_is_taken(faces, gaussian, monkeypatch, tmp_path):
    seen, real = [], _report._confusion

    def spied(what):
        seen.append((plt.rcParams["font.family"], plt.rcParams["axes.facecolor"]))
        return real(what)

    monkeypatch.setattr(_report, "_confusion", spied)
    with plt.rc_context({"font.family": "DejaVu Serif", "axes.facecolor": "black"}):
        report(gaussian, faces, tmp_path / "report.html")
        assert plt.rcParams["font.family"] == ["DejaVu Serif"]
    assert seen == [(["DejaVu Serif"], "white")]


def test_characters_that_the_font_lacks_are_told_once(faces, gaussian, tmp_path):
    named = Bunch(**faces)
    named.target_names = faces.target_names.copy()
    named.target_names[np.unique(faces.target)[:2]] = ["\u5feb\u4e50", "\u5feb"]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        page = report(gaussian, named, tmp_path / "report.html")
    assert [str(one.message) for one in told] == [
        "the font of the pictures lacks characters of names, \u5feb\u4e50: set font.family of "
        "matplotlib (in its file matplotlibrc) to one that has them."
    ]
    assert "<bdi>\u5feb\u4e50</bdi>: 16" in page.read_text(encoding="utf-8")


def test_numbers_stay_on_their_side_of_names_from_right_to_left(rows):
    X, y = rows
    names = np.where(y == "joy", "\u0641\u0631\u062d", np.where(y == "awe", "<b> & co", y))
    issues = label_issues(LogisticRegression(), X, names, random_state=0)
    page = issues._repr_html_()
    for line in issues.table():
        own, other = (escape(line[kind]) for kind in ("label", "suggested"))
        assert f"<td>{line['row']}</td><td><bdi>{own}</bdi></td><td><bdi>{other}</bdi></td>" in page
    assert re.sub("</?bdi>", "", page).count(escape(line["reason"])) == 1
    assert "<bdi>\u0641\u0631\u062d</bdi> 0." in page
    assert page.count("<bdi>") == page.count("</bdi>")
    assert "<b>" not in page
