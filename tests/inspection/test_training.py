"""Pictures of how models learned."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union

from skfer import CrossEntropyEmbedder, load_expression_model
from skfer.exceptions import ArgumentError
from skfer.inspection import TrainingDisplay


def history(losses, **more):
    """As ``history_`` is."""
    return [
        {
            "epoch": i + 1,
            "train_loss": loss,
            "train_loss_best": True,
            "active_fraction": 1 / (i + 1),
            "embedding_spread": 0.9,
            "lr": 0.01 * (i + 1),
            "dur": 0.1,
            **{key: values[i] for key, values in more.items()},
        }
        for i, loss in enumerate(losses)
    ]


def test_a_panel_for_each_metric():
    display = TrainingDisplay.from_history(history([3.0, 2.0, 1.5], valid_loss=[4.0, 3.0, 3.5]))
    labels = [ax.get_ylabel() for ax in display.axes_]
    assert labels == ["loss", "active fraction", "spread of the embedding", "learning rate"]
    assert len(display.lines_) == 5
    line = display.lines_["", "train_loss"]
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(line.get_ydata(), [3, 2, 1.5])
    assert display.lines_["", "valid_loss"].axes is line.axes
    assert not display.bands_
    texts = [text.get_text() for text in display.legend_.get_texts()]
    assert texts == ["training", "validation"]


def test_folds_are_a_mean_and_a_band():
    # The second fold stopped early, and a mean of the rest would jump.
    display = TrainingDisplay.from_history([history([4.0, 2.0, 1.0]), history([2.0, 4.0])])
    np.testing.assert_array_equal(display.lines_["", "train_loss"].get_ydata(), [3, 3])
    band = display.bands_["", "train_loss"].get_paths()[0].vertices
    assert {(1, 2), (1, 4), (2, 2), (2, 4), (3, 1)} <= set(map(tuple, band))
    assert "2 folds" in display.axes_[0].get_title(loc="left")


def test_each_mean_ends_with_its_first_fold():
    """Whatever is missing before: a score of every other epoch, a fold that has no score at all."""
    scores = [np.nan, 0.5, np.nan, 0.6, np.nan, 0.7]
    folds = [
        history([1.0] * 6, valid_score=scores),
        history([2.0] * 4, valid_score=scores),
        history([3.0] * 5),
    ]
    display = TrainingDisplay.from_history({"a": folds, "b": folds[:2], "c": folds[0]})
    xs = {place: line.get_xdata().tolist() for place, line in display.lines_.items()}
    assert xs["a", "train_loss"] == xs["b", "train_loss"] == [1, 2, 3, 4]
    assert xs["c", "train_loss"] == [1, 2, 3, 4, 5, 6]
    assert xs["a", "valid_score"] == xs["b", "valid_score"] == [2, 4]
    assert display.bands_["b", "train_loss"].get_paths()[0].vertices[:, 0].max() == 6
    assert display.axes_[0].get_title(loc="left").startswith("Mean of 2 to 3 folds, and")


def test_long_names_keep_what_tells_them_apart():
    names = [f"CalibratedClassifierCV: {kind}Embedder" for kind in ("MultiThreshold", "Gaussian")]
    one = history([3.0, 2.0], valid_loss=[3.0, 2.0])
    display = TrainingDisplay.from_history(dict.fromkeys(names, one))
    texts = [text.get_text() for text in display.legend_.get_texts()]
    assert len(set(texts)) == 4
    parts = [text.split(", ")[-1] for text in texts]
    assert parts == ["training", "validation"] * 2


def test_several_fits_by_name():
    named = {"one": history([3, 2]), "other": [history([4, 1]), history([5, 2])]}
    display = TrainingDisplay.from_history(named, metrics=["loss", "lr"])
    assert len(display.axes_) == 2
    assert {name for name, _ in display.lines_} == {"one", "other"}
    assert {name for name, _ in display.bands_} == {"other"}
    one, other = (display.lines_[name, "train_loss"] for name in ("one", "other"))
    assert one.get_color() != other.get_color()
    assert one.get_linestyle() != other.get_linestyle()
    assert [text.get_text() for text in display.legend_.get_texts()] == ["one", "other"]


@pytest.mark.parametrize("metrics", [["loss"], ["loss", "lr"]])
def test_the_legend_of_few_panels_has_room(metrics):
    named = {f"a fit of many words, {k}": history([3.0, 2.0]) for k in range(2)}
    display = TrainingDisplay.from_history(named, metrics=metrics)
    display.figure_.canvas.draw()  # a panel without width is a warning, and so an error
    box = display.legend_.get_window_extent()
    assert box.x1 <= display.figure_.bbox.width + 1


def test_unknown_numbers_are_shown_and_others_left_out():
    display = TrainingDisplay.from_history(
        history([1, 2], valid_accuracy=[0.5, 0.6], note=["a", "b"], valid_loss_best=[True, False])
    )
    assert {key for _, key in display.lines_} == {
        "train_loss", "active_fraction", "embedding_spread", "lr", "valid_accuracy",
    }  # fmt: skip
    assert display.axes_[-1].get_ylabel() == "accuracy"
    only = TrainingDisplay.from_history(display.histories, metrics="train_loss")
    assert len(only.lines_) == 1


def test_fitted_models(gaussian, multi_threshold):
    display = TrainingDisplay.from_estimator(gaussian)
    losses = [epoch["train_loss"] for epoch in gaussian.history_]
    line = display.lines_["GaussianMetricEmbedder", "train_loss"]
    np.testing.assert_array_equal(line.get_ydata(), losses)
    both = TrainingDisplay.from_estimator({"a": gaussian, "b": [multi_threshold] * 2})
    assert {name for name, _ in both.lines_} == {"a", "b"}


def test_folds_of_a_pipeline(rows):
    X, y = rows
    model = make_pipeline(
        CrossEntropyEmbedder(max_epochs=2, random_state=0), KNeighborsClassifier()
    )
    found = cross_validate(model, X, y, cv=3, return_estimator=True)
    display = TrainingDisplay.from_estimator(found["estimator"])
    assert {name for name, _ in display.lines_} == {"CrossEntropyEmbedder"}
    assert len(display.bands_) == len(display.lines_)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "history must be a list"),
        ({}, "history is empty"),
        ("history", "history must be a list"),
        (3, "history must be a list"),
        ([[]], "history must be a list"),
        ({"a": 3}, "history must be a list"),
    ],
)
def test_histories_that_are_none(given, text):
    with pytest.raises(ArgumentError, match=text):
        TrainingDisplay.from_history(given)


@pytest.mark.parametrize("metrics", [["f1"], [], "accuracy"])
def test_unknown_metrics_name_those_there_are(metrics):
    with pytest.raises(ArgumentError, match="the histories have: loss, active_fraction"):
        TrainingDisplay.from_history(history([1]), metrics=metrics)


def test_models_without_history():
    fitted = LogisticRegression()
    with pytest.raises(ArgumentError, match="a fitted embedder"):
        TrainingDisplay.from_estimator(fitted)
    with pytest.raises(ArgumentError, match="not fitted"):
        TrainingDisplay.from_estimator(CrossEntropyEmbedder())
    with pytest.raises(ArgumentError, match="estimator is empty"):
        TrainingDisplay.from_estimator([])


def test_given_axes():
    values = history([3, 2])
    _, several = plt.subplots(2, 2)
    display = TrainingDisplay.from_history(values, ax=several)
    assert display.axes_ == list(several.flat)
    _, one = plt.subplots()
    display.plot(ax=one)
    assert len(display.figure_.axes) == 5
    display.plot(ax=plt.figure().add_axes((0.1, 0.1, 0.8, 0.8)))
    display.figure_.canvas.draw()
    with pytest.raises(ArgumentError, match="2 axes, and there are 4 panels"):
        display.plot(ax=list(several[0]))


@pytest.mark.parametrize(
    "options",
    [{"c": "red"}, {"ls": ":"}, {"marker": "x"}, {"label": "_mine"}, {"lw": 3}, {"alpha": 0.1},
     {"cmap": "viridis"}, {"drawstyle": "steps"}, {"caption": ""}, {"legend": False}],
    ids=lambda options: "-".join(options),
)  # fmt: skip
def test_nothing_passed_on_makes_matplotlib_warn(options):
    named = {
        "_a": history([1.0, np.nan]),
        "b": [history([2.0]), history([np.nan])],
        "c": history([1]),
    }
    display = TrainingDisplay.from_history(named, **options)
    display.figure_.canvas.draw()
    assert display.lines_


@pytest.mark.parametrize("n_epochs", [1, 7, 20, 43])
def test_scores_and_their_markers_are_in_the_panel(n_epochs):
    scores = np.linspace(0.6, 0.97, n_epochs)
    one = history(3 - scores, valid_recall_at_1=scores)
    display = TrainingDisplay.from_history(one, metrics=["recall_at_1", "loss"])
    line = display.lines_["", "valid_recall_at_1"]
    assert 1 <= len(np.arange(n_epochs)[:: line.get_markevery()]) <= 10
    assert display.axes_[0].get_ylim() == (-0.03, 1.03)
    low, high = display.axes_[1].get_ylim()
    assert low == 0
    assert high > 2.4


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_looks_as_kept(style, as_kept):
    epochs = np.arange(20)
    folds = [
        history(3 * np.exp(-epochs / 8) + shift, valid_loss=3 * np.exp(-epochs / 12) + 0.5 + shift)
        for shift in (0, 0.2, 0.3)
    ]
    with plt.style.context(style):
        display = TrainingDisplay.from_history({"folds": folds, "one": folds[2][:15]})
        as_kept(display.figure_, f"training_{style}")


def test_each_embedder_of_a_model_has_lines(gaussian, multi_threshold):
    union = make_union(FrozenEstimator(gaussian), FrozenEstimator(multi_threshold))
    display = TrainingDisplay.from_estimator(union, metrics=["loss"])
    assert list(display.histories) == ["GaussianMetricEmbedder", "MultiThresholdEmbedder"]
    display = TrainingDisplay.from_estimator({"both": [union, union], "one": gaussian})
    assert {name: len(ones) for name, ones in display.histories.items()} == {
        "both: GaussianMetricEmbedder": 2,
        "both: MultiThresholdEmbedder": 2,
        "one": 1,
    }


def test_folds_of_a_calibrated_one_are_folds(rows):
    X, y = rows
    embedder = CrossEntropyEmbedder(8, max_epochs=2, random_state=0)
    model = CalibratedClassifierCV(embedder, cv=3).fit(X, y)
    display = TrainingDisplay.from_estimator(model, metrics=["loss"])
    assert {name: len(ones) for name, ones in display.histories.items()} == {
        "CalibratedClassifierCV": 3
    }
    assert display.bands_


def test_a_model_that_was_not_trained_here_has_no_history():
    with pytest.raises(ArgumentError, match="this CrossEntropyEmbedder was not trained here"):
        TrainingDisplay.from_estimator(load_expression_model())
