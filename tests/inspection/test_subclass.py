"""Pictures of classes within classes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfer.datasets import make_expressions
from skfer.exceptions import ArgumentError
from skfer.inspection import EmbeddingDisplay, SubclassDisplay

LINE = np.array([[0.0], [1.0], [10.0], [11.0], [21.0], [22.0]])
IMAGES = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4)
SUBCLASS = np.array([0, 0, 1, 1, 2, 2])
Y = np.array(["joy", "joy", "joy", "joy", "rage", "rage"])


def test_faces_of_each_by_hand():
    display = SubclassDisplay.from_embedding(LINE, SUBCLASS, IMAGES, Y, n_faces=3)
    assert display.labels == ["joy 1", "joy 2", "rage"]
    assert display.sizes.tolist() == [2, 2, 2]
    assert display.nearest.tolist() == [[0, 1, 2], [2, 3, 1], [4, 5, 3]]
    assert display.verdicts.tolist() == [["right"] * 3, ["right"] * 3, ["right", "right", "wrong"]]
    assert display.posteriors is None
    np.testing.assert_array_equal(display.mean_faces[1], IMAGES[2:4].mean(axis=0).round())
    assert len(display.images_) == 3 * 4
    assert [frame.get_gid() for frame in display.frames_].count("wrong") == 1
    assert "dashed" in display.ax_.get_title(loc="left")


def test_given_centers_classes_and_posterior():
    display = SubclassDisplay.from_embedding(
        LINE,
        [0, 0, 1, 1, 3, 3],
        IMAGES,
        centers=[[0.0], [11.0], [100.0], [22.0]],
        subclass_to_class=["rage", "joy", "rage", "joy"],
        posterior=np.column_stack([np.arange(6) / 10, 1 - np.arange(6) / 10]),
        n_faces=1,
    )
    # A row for each, class by class; the third has no face of its own.
    assert display.labels == ["joy 1", "joy 2", "rage 1", "rage 2"]
    assert display.nearest.ravel().tolist() == [3, 5, 0, 5]
    assert display.sizes.tolist() == [2, 2, 2, 0]
    np.testing.assert_allclose(display.posteriors, [0.25, 0.45, 0.95, np.nan])
    assert display.mean_faces[3] is None
    assert (display.verdicts == "plain").all()
    display.figure_.canvas.draw()


def test_long_names_differ_in_their_numbers_and_leave_room():
    def drawn(name, subclass):
        display = SubclassDisplay.from_embedding(LINE, subclass, IMAGES, [name] * 6)
        return display.figure_.get_figwidth(), [text.get_text() for text in display.ax_.texts]

    width, told = drawn("a name of letters without end, " * 7, [0, 0, 1, 1, 2, 2])
    assert [text.split("\n")[0][-2:] for text in told] == [" 1", " 2", " 3"]
    assert all(len(text.split("\n")[0]) == 28 for text in told)
    assert width < drawn("joy", SUBCLASS)[0] + 2.1
    _, told = drawn("joy", [0, 1, 1, 1, 1, 1])
    assert told == ["joy 1\n1 face", "joy 2\n5 faces"]


def test_some_classes_alone():
    display = SubclassDisplay.from_embedding(LINE, SUBCLASS, IMAGES, Y, classes=["rage"])
    assert display.labels == ["rage"]
    with pytest.raises(ArgumentError, match="classes holds 'awe'"):
        SubclassDisplay.from_embedding(LINE, SUBCLASS, IMAGES, Y, classes=["awe"])


def test_unlabeled_faces_are_plain():
    y = [0, 0, 0, -1, 1, 1]
    names = ["joy", "rage"]
    display = SubclassDisplay.from_embedding(LINE, SUBCLASS, IMAGES, y, names=names, n_faces=2)
    assert display.verdicts.tolist() == [["right"] * 2, ["right", "plain"], ["right"] * 2]


def test_fitted_model(faces, gaussian):
    display = SubclassDisplay.from_estimator(gaussian, faces.images, faces.target, names=faces)
    assert display.labels == ["anger", "happiness", "neutral", "surprise"]
    assert display.sizes.tolist() == [16] * 4
    Z = gaussian.transform(faces.images)
    first = np.linalg.norm(Z - gaussian.means_[0], axis=1).argsort()[:6]
    np.testing.assert_array_equal(display.nearest[0], first)
    proba = gaussian.predict_proba(faces.images)[faces.target == 0, 0].mean()
    assert display.posteriors[0] == pytest.approx(proba)


def test_model_with_subclasses_in_a_pipeline(blobs, gaussian_subclasses):
    X, y, _ = blobs
    images = np.zeros((len(X), 4, 4))
    model = make_pipeline(FunctionTransformer(), gaussian_subclasses)
    display = SubclassDisplay.from_estimator(model, X, y, images=images)
    # By default those alone that are divided.
    assert display.labels == ["glad 1", "glad 2", "sad 1", "sad 2"]
    assert display.sizes.tolist() == [60] * 4
    every = SubclassDisplay.from_estimator(model, X, y, images=images, classes=["sad", "calm"])
    assert every.labels == ["sad 1", "sad 2", "calm"]
    where = EmbeddingDisplay.from_estimator(model, X, y)
    assert list(where.scatters_) == ["calm", "glad 1", "glad 2", "sad 1", "sad 2"]
    over = EmbeddingDisplay.from_estimator(model, X[::2], y[::2], X_train=X[1::2], y_train=y[1::2])
    assert list(over.scatters_)[:4] == [
        f"{word} (training)" for word in ("calm", "glad", "sad")
    ] + ["calm"]


def test_faces_without_a_label_join_the_likeliest(blobs, gaussian_subclasses):
    X, y, _ = blobs
    images = np.zeros((len(X), 4, 4))
    some = np.where(np.arange(len(y)) % 3 == 0, "", y)
    for labels in (None, some):
        display = SubclassDisplay.from_estimator(gaussian_subclasses, X, labels, images=images)
        assert np.abs(display.sizes - 60).max() <= 3
    assert (display.verdicts == "plain").any()
    assert (display.verdicts == "right").any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"subclass": [0, 1]}, "subclass must have a row"),
        ({"subclass": [0, 0, 1, 1, -1, 2]}, "subclass must have a row"),
        ({"subclass": np.array(["a"] * 6)}, "subclass must have a row"),
        ({"images": IMAGES[1:]}, "images holds 5 pictures"),
        ({"y": Y[1:]}, "y has 5 entries"),
        ({"n_faces": 0}, "n_faces"),
        ({"subclass_to_class": ["joy"]}, "subclass_to_class has 1 entries"),
        ({"posterior": np.ones((6, 1))}, "posterior has 1 columns"),
        (
            {"posterior": np.ones((6, 3))},
            "posterior has 3 columns: give one for each of the",
        ),
    ],
)
def test_refusals_name_the_argument(options, text):
    given = {"embedding": LINE, "subclass": SUBCLASS, "images": IMAGES, "y": Y} | options
    with pytest.raises(ArgumentError, match=text):
        SubclassDisplay.from_embedding(**given)


def test_models_without_subclasses(faces, multi_threshold):
    with pytest.raises(ArgumentError, match="with predict_subclass"):
        SubclassDisplay.from_estimator(multi_threshold, faces.images)


def test_draws_again_in_other_axes():
    display = SubclassDisplay.from_embedding(LINE, SUBCLASS, IMAGES, Y)
    _, ax = plt.subplots(figsize=(2, 1))
    display.plot(ax=ax, cmap="magma", alpha=0.5, caption="")
    assert display.ax_ is ax
    display.figure_.canvas.draw()


def test_looks_as_kept(as_kept):
    drawn = make_expressions(
        12, 2, image_size=32, random_state=0, classes=["happiness", "surprise"], nuisance=0.3
    )
    display = SubclassDisplay.from_embedding(
        drawn.action_units,
        np.unique(drawn.subclass, return_inverse=True)[1],
        drawn.images,
        drawn.target,
        names=drawn,
        n_faces=4,
    )
    as_kept(display.figure_, "subclasses")
