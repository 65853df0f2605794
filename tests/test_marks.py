"""One definition of unlabeled in all rooms: embedders, splitters, metrics, Displays."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from skfer import GaussianMetricEmbedder
from skfer.inspection import EmbeddingDisplay
from skfer.metrics import recall_at_k
from skfer.model_selection import SemiSupervisedSplit

mpl.use("agg")

WORDS, NUMBERS = ["awe", "joy", "rage"], [0, 1, 2]
CASES = [(WORDS, mark) for mark in ("-1", None, float("nan"), "NA", "")]
CASES += [(NUMBERS, mark) for mark in (-1, -1.0, None, float("nan"))]


@pytest.mark.parametrize(("names", "mark"), CASES)
def test_marks_mean_the_same_everywhere(names, mark):
    y = [names[i % 3] if i % 4 else mark for i in range(40)]
    unlabeled = np.arange(40) % 4 == 0
    X = np.random.RandomState(0).normal(size=(40, 4)) + 3 * np.eye(4)[np.arange(40) % 3]
    model = GaussianMetricEmbedder(4, max_epochs=1, random_state=0).fit(X, y)
    assert model.classes_.tolist() == names
    assert model.class_count_.sum() == 30
    for train, test in SemiSupervisedSplit(3).split(X, y):
        assert not unlabeled[test].any()
        assert unlabeled[train].sum() == 10
    with pytest.raises(ValueError, match=f"no label for 10 samples, such as {mark!r} for sample 0"):
        recall_at_k(X, y)
    drawn = EmbeddingDisplay.from_embedding(X[:, :2], y)
    legend = [text.get_text() for text in drawn.ax_.get_legend().get_texts()]
    plt.close(drawn.figure_)
    assert legend == [*map(str, names), "unlabeled"]
