"""The bar: it moves with epochs, in this process and in others."""

import re

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skfer import CrossEntropyEmbedder
from skfer.evaluation import _progress, compare, pca_baseline
from skfer.evaluation._progress import n_epochs, watched

X = np.random.RandomState(0).randint(0, 256, (24, 16, 16)).astype(np.uint8)
Y = np.arange(24) % 2
HALF = np.arange(12)
SPLITS = [(HALF, HALF + 12), (HALF + 12, HALF)]


def test_epochs_are_counted_in_a_file(tmp_path):
    path = tmp_path / "epochs"
    embedder = watched(CrossEntropyEmbedder(max_epochs=3), path)
    embedder.fit(X, Y)
    assert path.read_bytes() == b"..."


@pytest.mark.parametrize("n_labeled", [100, 1000, 2000])
def test_what_is_expected(n_labeled):
    is_labeled = np.arange(2000) < n_labeled
    assert n_epochs(CrossEntropyEmbedder(max_epochs=7), is_labeled) == 7
    assert n_epochs(pca_baseline(), is_labeled) == 1
    usual = n_epochs(make_pipeline(CrossEntropyEmbedder()), is_labeled)
    assert usual == {100: 21, 1000: 40, 2000: 20}[n_labeled]  # a pass is of the larger part


def test_as_many_epochs_as_usual(capfd):
    methods = {"ce": make_pipeline(CrossEntropyEmbedder(backbone="scratch"))}
    (fit,) = compare(methods, X, Y, SPLITS[:1], seeds=[0], verbose=True)
    assert fit.method == "ce"
    assert "/160 " in capfd.readouterr().err


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bar_ends_full_and_goes_away(capfd, monkeypatch, n_jobs):
    monkeypatch.setattr(_progress, "_SECONDS", 0.01)
    methods = {"pca": pca_baseline(), "ce": CrossEntropyEmbedder(max_epochs=2)}
    fits = list(compare(methods, X, Y, SPLITS, seeds=[0], n_jobs=n_jobs, verbose=True))
    assert len(fits) == 4
    shown = capfd.readouterr().err
    assert "4 of 4 fits done" in shown
    counts = [int(n) for n in re.findall(r"(\d+)/6 ", shown)]
    assert counts == sorted(counts)
    assert shown.endswith("\r")


def test_watching_changes_nothing():
    method = {"ce": CrossEntropyEmbedder(max_epochs=2)}
    quiet, loud = (
        next(compare(method, X, Y, SPLITS[:1], seeds=[0], verbose=verbose))
        for verbose in (False, True)
    )
    assert quiet.scores == loud.scores
    assert quiet.predicted == loud.predicted
    assert quiet.points == loud.points
    assert method["ce"].callbacks is None
