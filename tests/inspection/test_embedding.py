"""Pictures of an embedding."""

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from skfer.inspection import EmbeddingDisplay

matplotlib.use("agg")
X, Y = load_iris(return_X_y=True)


def test_one_colour_and_name_a_class():
    display = EmbeddingDisplay.from_embedding(X, Y, names=["setosa", "versicolor", "virginica"])
    display.plot()
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["setosa", "versicolor", "virginica"]
    drawn = np.concatenate([c.get_offsets() for c in display.ax_.collections])
    assert len(drawn) == len(X)
    assert len({tuple(c.get_facecolor()[0]) for c in display.ax_.collections}) == 3
    matplotlib.pyplot.close(display.figure_)


def test_from_estimator_on_given_axes():
    _, ax = matplotlib.pyplot.subplots()
    display = EmbeddingDisplay.from_estimator(StandardScaler().fit(X), X, Y).plot(ax=ax, s=3)
    assert display.ax_ is ax
    assert list(display.names.values()) == ["0", "1", "2"]
    matplotlib.pyplot.close(display.figure_)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="150 rows, y has 149"):
        EmbeddingDisplay.from_embedding(X, Y[1:])
