"""Whatever a caller passes on to matplotlib, no Display makes it warn: warnings are errors here."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skfer.inspection import (
    AttentionDisplay,
    ComparisonDisplay,
    LabelIssuesDisplay,
    ReliabilityDisplay,
    RetrievalDisplay,
    SubclassDisplay,
    ThresholdDisplay,
    TrainingDisplay,
    label_issues,
    show_faces,
)

RNG = np.random.RandomState(0)
Y = np.arange(24) % 3
Z = RNG.normal(size=(24, 4)) + 3 * np.eye(4)[Y]
IMAGES = RNG.randint(0, 256, (24, 8, 8)).astype(np.uint8)
WORDS = np.array(["awe", "joy", "rage"])[Y]
PROBA = np.full((24, 3), 0.1) + 0.7 * np.eye(3)[np.roll(Y, 3)]
HISTORY = [{"epoch": k, "train_loss": 1 / k, "valid_loss": 2 / k} for k in (1, 2, 3)]

LINES = [
    {"c": "red", "ls": "--", "lw": 2},
    {"marker": "x", "mec": "blue", "ms": 9},
    {"markerfacecolor": "none"},
    {"label": "mine"},
    {"linestyle": (0, (1, 1)), "gapcolor": "red"},
    {"drawstyle": "steps-post", "alpha": 0.2},
    {"fillstyle": "left", "markevery": 2},
    {"marker": None},
    {"visible": False, "rasterized": True},
]
FILLS = [
    {"color": "red"},
    {"fc": "red", "ec": "blue"},
    {"facecolors": ["red"], "hatch": "//"},
    {"label": "mine", "alpha": 0.1},
    {"step": "mid", "lw": 0},
]
PICTURES = [
    {"cmap": "magma", "vmin": 0, "vmax": 9},
    {"norm": plt.Normalize(0, 9)},
    {"norm": "log"},
    {"interpolation": "bicubic", "alpha": 0.4},
    {"origin": "lower", "aspect": "auto", "extent": (0, 1, 0, 1)},
    {"label": "mine", "rasterized": True},
]
BARS = [
    {"color": "red"},
    {"fc": "red", "ec": "blue", "lw": 2},
    {"hatch": "/", "label": "mine"},
    {"height": 0.5, "align": "edge"},
    {"xerr": 0.01, "fill": False},
]
POINTS = [{"marker": None}, {"marker": "x", "ec": "red"}, {"c": "red", "cmap": "magma"}]


def attention(kind):
    maps, parts = IMAGES / 255.0, np.tile(np.arange(8) // 4, (24, 8, 1))
    display = AttentionDisplay.from_maps(
        maps, IMAGES, WORDS, parts=parts, part_names=["left", "right"]
    )
    return lambda **options: display.plot(kind=kind, **options)


def doubtful(kind):
    issues = label_issues(KNeighborsClassifier(3), Z, WORDS, cv=3, n_neighbors=3)
    display = LabelIssuesDisplay.from_issues(issues, IMAGES, n_faces=4)
    return lambda **options: display.plot(kind=kind, **options)


# What draws, once made, and what may be passed on to it.
CASES = {
    "attention": (lambda: attention("faces"), PICTURES),
    "attention-classes": (lambda: attention("classes"), PICTURES),
    "attention-parts": (lambda: attention("parts"), BARS),
    "comparison": (
        lambda: ComparisonDisplay.from_scores({"a": [0.5, 0.6, 0.7], "b": [0.4, 0.6, 0.8]}).plot,
        LINES,
    ),
    "faces": (
        lambda: lambda **options: show_faces(IMAGES, WORDS, y_pred=WORDS[::-1], **options),
        PICTURES,
    ),
    "issues": (lambda: doubtful("faces"), PICTURES),
    "issues-confidence": (lambda: doubtful("confidence"), POINTS),
    "reliability": (lambda: ReliabilityDisplay.from_predictions(WORDS, PROBA).plot, LINES),
    "retrieval": (
        lambda: RetrievalDisplay.from_embedding(Z, WORDS, IMAGES, random_state=0).plot,
        PICTURES,
    ),
    "subclasses": (lambda: SubclassDisplay.from_embedding(Z, Y, IMAGES, WORDS).plot, PICTURES),
    "thresholds": (lambda: ThresholdDisplay.from_embedding(Z, WORDS, [0.2, 0.8]).plot, FILLS),
    "training": (
        lambda: TrainingDisplay.from_history({"a": [HISTORY] * 2, "b": HISTORY}).plot,
        LINES,
    ),
}


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("name", CASES)
def test_nothing_passed_on_makes_matplotlib_warn(name, style):
    make, table = CASES[name]
    with plt.style.context(style):
        plot = make()
        for options in [{"caption": "$x$"}, *table]:
            drawn = plot(**options)
            (drawn.figure if name == "faces" else drawn.figure_).canvas.draw()
            plt.close("all")
