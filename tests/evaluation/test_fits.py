"""Fits: what is measured, and what is warned of."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin

from skfer import CrossEntropyEmbedder
from skfer.datasets import make_expressions
from skfer.evaluation import (
    Fit,
    compare,
    fit_warnings,
    format_tables,
    pca_baseline,
    score_table,
    summarize,
)


def test_warnings_of_training_are_told_once():
    fit = Fit("gaussian", 0, 0, {}, [], 1, 1, 1, 1, ("it collapsed",))
    fits = [fit, replace(fit, fold=1), replace(fit, fold=2, warnings=())]
    assert fit_warnings(fits) == ["gaussian; 2 of 3 folds: it collapsed"]
    fits.append(replace(fit, method="cross-entropy", fold=2))
    assert fit_warnings(fits) == ["cross-entropy, gaussian; 3 of 3 folds: it collapsed"]


def test_recall_that_is_not_defined_is_left_out():
    X, y = np.eye(12, dtype=np.float32), np.array([0, 1] * 4 + [0, 1, 0, 0])
    splits = [(np.arange(8), np.array([8, 9])), (np.arange(8), np.array([10, 11]))]
    scores = sorted(compare({"pca": pca_baseline()}, X, y, splits), key=lambda s: s.fold)
    assert [score.scores["recall_at_1"] for score in scores] == [None, 1.0]
    (row,) = summarize(scores, ["pca"])
    assert (row["recall_at_1"], row["recall_at_1_sd"]) == (1.0, None)
    (told,) = fit_warnings(scores)
    assert told.startswith("pca; 1 of 2 folds: recall@k is not defined")
    (row,) = summarize(scores[:1], ["pca"])
    assert format_tables([score_table([row])]).splitlines()[-1].split()[4] == "-"


class _Warning(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        warnings.warn("it collapsed", UserWarning, stacklevel=1)
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)


@pytest.mark.filterwarnings("default:it collapsed")
def test_warnings_of_training_come_with_the_score():
    X, y, half = np.eye(12), np.arange(12) % 2, np.arange(6)
    (score,) = compare({"mine": _Warning()}, X, y, [(half, half + 6)])
    assert score.warnings == ("it collapsed",)


@pytest.mark.parametrize("index", [range(24), range(23, -1, -1), [f"row {i}" for i in range(24)]])
@pytest.mark.parametrize("kind", [pd.Series, pd.DataFrame])
def test_rows_of_pandas_are_taken_by_their_place(kind, index, tmp_path):
    faces = make_expressions(3, 1, image_size=16, random_state=0)
    for i, image in enumerate(faces.images):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
    paths = sorted(map(str, tmp_path.glob("*.png")))
    splits = [(np.arange(0, 24, 2), np.arange(1, 24, 2))]
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
    (expected,) = compare({"e": model}, np.array(paths), faces.target, splits, classifier="own")
    X, y = kind(paths, index=index), pd.Series(faces.target, index=index)
    (found,) = compare({"e": model}, X, y, splits, classifier="own")
    assert (found.scores, found.predicted) == (expected.scores, expected.predicted)
