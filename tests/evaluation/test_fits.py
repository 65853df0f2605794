"""Fits: what is measured, and what is warned of."""

import threading
import warnings
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfer import CrossEntropyEmbedder
from skfer.datasets import make_expressions
from skfer.embedders import WithLabels
from skfer.embedders.composed._groups import told_groups
from skfer.embedders.samples._validation import validation_split
from skfer.evaluation import (
    Fit,
    _recording,
    compare,
    comparison_tables,
    fit_warnings,
    format_tables,
    make_splits,
    pca_baseline,
    score_table,
    summarize,
)
from skfer.evaluation._finished_fits import ResultsFile
from skfer.exceptions import ArgumentError
from skfer.inspection import ComparisonDisplay


def test_warnings_of_training_are_told_once():
    fit = Fit("gaussian", 0, 0, {}, [], 1, 1, 1, 1, ("it collapsed",))
    fits = [fit, replace(fit, fold=1), replace(fit, fold=2, warnings=())]
    assert fit_warnings(fits) == ["gaussian; 2 of 3 folds: it collapsed"]
    fits.append(replace(fit, method="cross-entropy", fold=2))
    assert fit_warnings(fits) == ["cross-entropy, gaussian; 3 of 3 folds: it collapsed"]


def test_a_fit_shows_itself_in_a_line_and_is_kept_whole(tmp_path):
    fit = Fit(
        "pca", 0, 3, {"accuracy": 0.5}, [7] * 900, 1.0, 2.0, 800, 900, points=[[8.0, 9.0]] * 900
    )
    assert repr(fit) == (
        "Fit(method='pca', fold=0, seed=3, scores={'accuracy': 0.5}, fit_time=1.0, "
        "images_per_second=2.0, n_train=800, n_test=900, warnings=(), n_unlabeled=0)"
    )
    assert fit != replace(fit, predicted=[7] * 899 + [0])
    file = ResultsFile(tmp_path / "fits.jsonl")
    file.add("key", fit)
    assert ResultsFile(tmp_path / "fits.jsonl").get("key") == fit


def test_what_makes_no_sense_is_told_where_compare_is_called():
    X, y = np.eye(12, dtype=np.float32), np.arange(12) % 2
    splits, methods = [(np.arange(6), np.arange(6, 12))], {"pca": pca_baseline()}
    with pytest.raises(ValueError, match=r"^y is missing"):
        compare("nonsense", None, None, None)
    with pytest.raises(ArgumentError, match=r"^methods must be"):
        compare("nonsense", X, y, splits)
    with pytest.raises(ArgumentError, match=r"^splits must hold"):
        compare(methods, X, y, [3])
    with pytest.raises(ArgumentError, match="classifier"):
        compare(methods, X, y, splits, classifier="own")


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


class _Overlapping(_Warning):
    """Trains until another one does, which began later and ends later."""

    def __init__(self, meeting=None):
        self.meeting = meeting

    def fit(self, X, y):
        super().fit(X, y)
        warnings.warn(f"seen {X[0]}", UserWarning, stacklevel=1)
        return super().fit(X, y)

    def transform(self, X):
        self.meeting.wait()
        return super().transform(X)


class _Meeting(threading.Barrier):
    """One for all who have it, also for copies."""

    def __deepcopy__(self, memo):
        return self


@pytest.mark.filterwarnings("default:it collapsed", "default:seen")
def test_fits_in_threads_record_their_own_warnings_and_leave_those_of_others():
    X, y = np.arange(12), np.arange(12) % 2
    splits = [(np.roll(X, i)[:6], np.roll(X, i)[6:]) for i in range(6)]
    method = _Overlapping(_Meeting(3))
    shown = warnings.showwarning

    def warns_meanwhile(fits):
        for fit in fits:
            warnings.warn("meanwhile", UserWarning, stacklevel=1)
            yield fit

    found = compare({"mine": method}, X[:, None], y, splits)
    threads = joblib.parallel_config("threading", n_jobs=3)
    with threads, pytest.warns(UserWarning, match="meanwhile"):
        fits = list(warns_meanwhile(found))
    for fit in fits:
        first = splits[fit.fold][0][0]
        assert fit.warnings == ("it collapsed", f"seen [{first}]")
    assert warnings.showwarning is shown
    with pytest.warns(UserWarning, match="afterwards"):
        warnings.warn("afterwards", UserWarning, stacklevel=1)


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


@pytest.fixture
def validated(monkeypatch):
    """The groups of each split into training and validation."""
    seen = []

    def split(codes, groups, fraction, seed):
        train, valid = validation_split(codes, groups, fraction, seed)
        assert groups is None or not set(groups[train]) & set(groups[valid])
        seen.append(None if groups is None else groups.tolist())
        return train, valid

    monkeypatch.setattr("skfer.embedders.base.validation_split", split)
    return seen


MODEL = CrossEntropyEmbedder(
    4, max_epochs=1, early_stopping=True, validation_fraction=0.3, random_state=0
)
KEPT_APART = {
    "alone": MODEL,
    "in a pipeline": make_pipeline(StandardScaler(), make_pipeline(MODEL, PCA(2))),
    "with labels": WithLabels(MODEL),
}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("kind", KEPT_APART)
def test_early_stopping_keeps_subjects_apart(kind, routing, validated):
    X, y, groups = np.random.default_rng(0).random((24, 5)), np.arange(24) % 2, np.arange(24) // 4
    train, test = np.arange(16), np.arange(16, 24)
    with sklearn.config_context(enable_metadata_routing=routing):
        list(compare({"mine": KEPT_APART[kind]}, X, y, [(train, test)], groups=groups))
    expected = None if routing and kind == "in a pipeline" else groups[train].tolist()
    assert validated == [expected]  # what routing sends where, the pipeline says
    validated.clear()
    list(compare({"mine": MODEL}, X, y, [(train, test)]))
    assert validated == [None]


def test_groups_change_no_fit_without_early_stopping():
    X, y, groups = np.random.default_rng(0).random((24, 5)), np.arange(24) % 2, np.arange(24) // 2
    model = CrossEntropyEmbedder(4, max_epochs=2, random_state=0)
    splits = [(np.arange(12), np.arange(12, 24))]
    (one,), (other,) = (compare({"e": model}, X, y, splits, groups=g) for g in (groups, None))
    assert (one.points, one.predicted) == (other.points, other.predicted)


def test_what_is_put_around_the_showing_of_warnings_may_stay(monkeypatch):
    """A library that is imported in a fit may do so; it calls what was there before it."""
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *args, **kw: shown.append(message))
    with _recording.recorded_warnings():
        inner = warnings.showwarning
        warnings.showwarning = lambda *args, **kwargs: inner(*args, **kwargs)
    with _recording.recorded_warnings() as texts, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("within", stacklevel=1)
    assert texts == ["within"]
    with pytest.warns(UserWarning, match="after"):
        warnings.warn("after", stacklevel=1)  # once, and not for ever


class OfTwo(CrossEntropyEmbedder):
    """An embedder of one's own, whose fit takes no groups."""

    def fit(self, X, y):
        return super().fit(X, y)


def test_groups_are_told_where_they_are_wanted():
    groups = np.array([1, 1, 2])
    assert told_groups(CrossEntropyEmbedder(), groups) == {}
    stopping = CrossEntropyEmbedder(early_stopping=True)
    assert told_groups(stopping, groups)["groups"] is groups
    assert told_groups(stopping, groups[:2]) == {}  # of one person none is set aside
    assert told_groups(OfTwo(early_stopping=True), groups) == {}
    assert list(told_groups(make_pipeline(stopping), groups)) == ["crossentropyembedder__groups"]


def test_methods_come_in_the_order_that_was_given_whichever_ends_first(tmp_path):
    faces = make_expressions(6, 1, image_size=16, random_state=0)
    splits = make_splits(faces, n_folds=2)
    methods = {"b": pca_baseline(4), "c": pca_baseline(8), "a": pca_baseline(2)}
    path = tmp_path / "fits.jsonl"
    fits = list(compare(methods, faces.images, faces.target, splits, results=path))
    tables = format_tables(comparison_tables(faces, splits, fits))
    assert "difference from b" in tables
    assert format_tables(comparison_tables(faces, splits, fits[::-1])) == tables
    assert ComparisonDisplay.from_fits(fits[::-1]).baseline == "b"
    # So it is where some are taken from a file of another comparison.
    others = {name: methods[name] for name in ("a", "c", "b")}
    again = list(compare(others, faces.images, faces.target, splits, results=path))
    assert ComparisonDisplay.from_fits(again[::-1]).baseline == "a"
    scores = {(fit.method, fit.fold): fit.scores for fit in fits}
    assert [fit.scores for fit in again] == [scores[fit.method, fit.fold] for fit in again]
