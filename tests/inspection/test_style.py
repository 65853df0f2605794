"""What all pictures have in common: any Axes, names and captions that are whole, legends' room."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skfer.inspection import (
    AttentionDisplay,
    ComparisonDisplay,
    EmbeddingDisplay,
    LabelIssuesDisplay,
    ReliabilityDisplay,
    RetrievalDisplay,
    SubclassDisplay,
    ThresholdDisplay,
    TrainingDisplay,
    show_faces,
)
from skfer.inspection._label_issues import LabelIssues
from skfer.inspection._style import as_text, letters_of

PIXELS = 2  # by which the texts of matplotlib's versions differ
RNG = np.random.RandomState(0)
Y = np.arange(48) % 8
Z = RNG.normal(size=(48, 8)) + 3 * np.eye(8)[Y]
IMAGES = RNG.randint(0, 256, (48, 8, 8)).astype(np.uint8)
PROBA = np.full((48, 8), 0.05) + 0.6 * np.eye(8)[np.roll(Y, 3)]
NAMES = [f"expression {k}" for k in range(8)]
SCORES = {f"a method, {k}": [0.5, 0.6 + k / 10, 0.7] for k in range(5)}
HISTORY = [
    {"epoch": k, "train_loss": 1 / k, "valid_loss": 2 / k, "embedding_spread": 0.9, "lr": 0.1}
    for k in (1, 2, 3)
]


def issues():
    shares = ("confidence", "other_confidence", "neighbor_share", "other_neighbor_share")
    return LabelIssues(
        labels=[NAMES[code] for code in Y],
        suggested=[NAMES[code] for code in Y[::-1]],
        score=np.linspace(1, 0, 48),
        is_issue=np.arange(48) % 2 == 0,
        n_neighbors=5,
        proba=PROBA,
        classes=np.arange(8),
        **{name: np.linspace(0, 1, 48) for name in shares},
    )


DRAW = {
    "attention": lambda ax: AttentionDisplay.from_maps(IMAGES / 255, IMAGES, Y, ax=ax),
    "comparison": lambda ax: ComparisonDisplay.from_scores(SCORES, ax=ax),
    "embedding": lambda ax: EmbeddingDisplay.from_embedding(Z, Y, names=NAMES, ax=ax),
    "issues": lambda ax: LabelIssuesDisplay.from_issues(issues(), IMAGES, ax=ax),
    "issues-confidence": lambda ax: LabelIssuesDisplay.from_issues(
        issues(), IMAGES, kind="confidence", ax=ax
    ),
    "reliability": lambda ax: ReliabilityDisplay.from_predictions(Y, PROBA, kind="classes", ax=ax),
    "retrieval": lambda ax: RetrievalDisplay.from_embedding(Z, Y, IMAGES, ax=ax),
    "faces": lambda ax: show_faces(IMAGES, Y, max_faces=9, ax=ax),
    "subclasses": lambda ax: SubclassDisplay.from_embedding(Z, Y, IMAGES, Y, ax=ax),
    "thresholds": lambda ax: ThresholdDisplay.from_embedding(Z, Y, [0.2, 0.8], ax=ax),
    "training": lambda ax: TrainingDisplay.from_history({"a": HISTORY, "b": HISTORY}, ax=ax),
}
DIVIDED = ["comparison", "thresholds", "training"]
WITH_LEGEND = ["embedding", "issues-confidence", "reliability", "training"]


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("name", DRAW)
def test_a_part_of_a_figure_is_drawn_into(name, layout):
    figure = plt.figure(figsize=(10, 5), layout=layout)
    left, right = figure.subfigures(1, 2)
    DRAW[name](right.subplots())
    figure.canvas.draw()
    assert right.axes
    assert not left.axes


def test_text_is_read_on_the_figure_that_a_part_lies_on():
    with plt.style.context("dark_background"):
        part = plt.figure().subfigures(1, 2)[0]
        ax = part.subplots()
        ax.set_facecolor("none")
        show_faces(IMAGES, Y, max_faces=4, ax=ax)
        (color,) = {text.get_color()[:3] for text in ax.texts}
    assert color == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", DIVIDED)
def test_a_divided_axes_is_filled_by_a_constrained_layout(name):
    figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
    axes = DRAW[name](ax).axes_
    figure.canvas.draw()
    across = sum(one.get_position().width for one in axes if one.get_position().y1 > 0.6)
    assert across > (0.5 if name == "training" else 0.65)  # a legend stands beside the former
    for one in axes:
        box = one.xaxis.label.get_window_extent()
        assert box.y0 >= -PIXELS
        assert box.x1 <= figure.bbox.x1 + PIXELS


@pytest.mark.parametrize("place", ["one", "first of two", "by hand"])
@pytest.mark.parametrize("name", WITH_LEGEND)
def test_a_legend_beside_given_axes_lies_in_their_place(name, place):
    if place == "by hand":
        figure, right = plt.figure(figsize=(11, 4)), 1.0
        ax = figure.add_axes((0.1, 0.1, 0.85, 0.8))
    else:
        figure, axes = plt.subplots(1, 2 if place == "first of two" else 1, figsize=(11, 4))
        ax = np.ravel(axes)[0]
        right = ax.get_position().x1
    for _ in range(2):  # once more in the same axes makes them no narrower
        drawn = DRAW[name](ax) if name != "training" else TrainingDisplay.from_history(
            {"a": HISTORY, "b": HISTORY}, metrics=["loss"], ax=[ax]
        )  # fmt: skip
        width = ax.get_position().width
    figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert legend.x1 <= figure.bbox.width * right + PIXELS
    assert legend.x0 >= ax.bbox.x1
    assert ax.get_in_layout()
    assert ax.get_position().width == pytest.approx(width)
    if name == "reliability":
        drawn.plot(ax=ax)  # which adds a curve, and no more
        assert ax.get_position().width <= width


@pytest.mark.parametrize("how", ["tight", "constrained", "adjusted", "saved", "copied"])
def test_what_arranges_a_figure_later_leaves_the_legend_its_room(how, tmp_path):
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for ax in axes:
        EmbeddingDisplay.from_embedding(Z, Y, names=NAMES, ax=ax)
    if how == "adjusted":
        figure.subplots_adjust(left=0.02, right=0.98, wspace=0.05)
    elif how == "copied":
        figure = pickle.loads(pickle.dumps(figure))
    elif how == "saved":
        figure.savefig(tmp_path / "figure.png", bbox_inches="tight")
    else:
        figure.set_layout_engine(how)
    figure.canvas.draw()
    left, right = figure.axes
    box = left.get_legend().get_window_extent()
    assert left.bbox.x1 <= box.x0
    assert box.x1 <= right.bbox.x0
    assert right.get_legend().get_window_extent().x1 <= figure.bbox.x1
    before = left.bbox.width
    left.get_legend().remove()
    figure.canvas.draw()
    assert left.bbox.width > 1.3 * before


def test_shares_stay_below_their_curves():
    above, below = plt.subplots(2, 1, sharex=True)[1]
    ReliabilityDisplay.from_predictions(Y, PROBA, kind="classes", ax=[above, below])
    one, other = above.get_position(), below.get_position()
    assert one.width < 0.6
    assert (one.x0, one.width) == pytest.approx((other.x0, other.width))


def test_axes_are_never_without_width_for_a_legend():
    _, axes = plt.subplots(1, 4, figsize=(6, 3))
    before = axes[1].get_position().width
    EmbeddingDisplay.from_embedding(Z, Y, names=["a name of many letters"] * 8, ax=axes[1])
    assert axes[1].get_position().width == pytest.approx(0.4 * before)


@pytest.mark.parametrize("name", ["embedding", "reliability"])
def test_a_figure_of_ones_own_grows_by_its_legend(name):
    names = [f"a compound expression {k}" for k in range(30)]
    y = np.arange(300) % 30
    if name == "embedding":
        points = np.random.RandomState(0).normal(size=(300, 2))
        display = EmbeddingDisplay.from_embedding(points, y, names=names)
    else:
        proba = np.full((300, 30), 0.01) + 0.7 * np.eye(30)[y]
        display = ReliabilityDisplay.from_predictions(y, proba, names=names, kind="classes")
    display.figure_.canvas.draw()
    box = display.ax_.get_legend().get_window_extent()
    assert box.x1 <= display.figure_.bbox.x1 + PIXELS
    assert display.ax_.bbox.width / display.figure_.dpi > 3.2


def test_large_letters_have_larger_figures():
    before = {name: DRAW[name](None).figure_.get_size_inches() for name in DIVIDED}
    plt.rcParams["font.size"] = 18
    for name in DIVIDED:
        display = DRAW[name](None)
        display.figure_.canvas.draw()  # panels without room are a warning, and so an error
        assert (display.figure_.get_size_inches() > 1.5 * before[name]).all()


@pytest.mark.parametrize(
    "name", ["comparison", "embedding", "retrieval", "subclasses", "thresholds"]
)
@pytest.mark.parametrize("size", [(6.4, 4.8), (5, 3)])
def test_captions_are_whole(name, size):
    figure, ax = plt.subplots(figsize=size)
    DRAW[name](ax)
    figure.canvas.draw()
    titles = [one.get_title(loc="left") and one._left_title for one in figure.axes]
    (caption,) = [title for title in titles if title]
    box = caption.get_window_extent()
    assert box.x1 <= figure.bbox.x1 + PIXELS
    assert box.y1 <= figure.bbox.y1 + PIXELS


def test_labels_of_narrow_panels_are_whole():
    figure, ax = plt.subplots()
    axes = DRAW["thresholds"](ax).axes_
    figure.canvas.draw()
    one, other = (panel.xaxis.label.get_window_extent() for panel in axes)
    assert one.x1 < other.x0
    assert min(one.y0, other.y0) >= -PIXELS
    assert other.x1 <= figure.bbox.x1 + PIXELS


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert as_text("surprise") == "surprise"
    text = as_text("surprised_and_happy_with_open_mouth")
    assert text == "surprised_an...th_open_mouth"
    assert len(text) == 28
    assert as_text("a" * 50, 10) == "aaa...aaaa"
    assert as_text("$" * 50, 10) == r"\$\$\$...\$\$\$\$"


def test_letters_of_east_asia_are_wide():
    assert letters_of("joy") == 3
    assert letters_of("快乐 joy") == 8
