"""Scorers inside cross-validation, searches, pipelines and metadata routing."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfer.exceptions import ArgumentError
from skfer.metrics import (
    clustering_nmi,
    make_embedding_scorer,
    mean_average_precision_at_r,
    precision_at_k,
    recall_at_k,
)

SCORERS = {
    "recall": make_embedding_scorer(recall_at_k, k=2),
    "precision": make_embedding_scorer(precision_at_k, k=5),
    "map": make_embedding_scorer(mean_average_precision_at_r),
    "nmi": make_embedding_scorer(clustering_nmi, random_state=0),
}


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True)
    rng = np.random.default_rng(0)
    groups = rng.integers(12, size=len(y))
    return X, y, groups


def test_scores_are_those_of_the_transform(iris):
    X, y, _ = iris
    pca = PCA(2).fit(X)
    Z = pca.transform(X)
    assert make_embedding_scorer(recall_at_k, k=2)(pca, X, y) == recall_at_k(Z, y, k=2)
    assert make_embedding_scorer(precision_at_k, k=5)(pca, X, y) == precision_at_k(Z, y, k=5)
    assert make_embedding_scorer(mean_average_precision_at_r)(
        pca, X, y
    ) == mean_average_precision_at_r(Z, y)
    expected = clustering_nmi(Z, y, random_state=0)
    assert make_embedding_scorer(clustering_nmi, random_state=0)(pca, X, y) == expected


def test_a_final_classifier_is_left_out(iris):
    X, y, _ = iris
    steps = make_pipeline(StandardScaler(), PCA(2))
    expected = recall_at_k(steps.fit_transform(X), y)
    model = make_pipeline(StandardScaler(), PCA(2), KNeighborsClassifier()).fit(X, y)
    assert make_embedding_scorer(recall_at_k)(model, X, y) == expected
    nested = make_pipeline(StandardScaler(), make_pipeline(PCA(2), KNeighborsClassifier()))
    search = GridSearchCV(model, {"kneighborsclassifier__n_neighbors": [1]}).fit(X, y)
    assert make_embedding_scorer(recall_at_k)(search, X, y) == expected
    assert 0 < make_embedding_scorer(recall_at_k)(nested.fit(X, y), X, y) <= 1


@pytest.mark.parametrize("model", [KNeighborsClassifier(), make_pipeline(KNeighborsClassifier())])
def test_no_embedding_is_an_error(iris, model):
    X, y, _ = iris
    with pytest.raises(TypeError, match="computes no embedding"):
        make_embedding_scorer(recall_at_k)(model.fit(X, y), X, y)


def test_cross_validate_and_grid_search(iris):
    X, y, groups = iris
    model = make_pipeline(StandardScaler(), PCA(), KNeighborsClassifier())
    result = cross_validate(model, X, y, groups=groups, cv=GroupKFold(3), scoring=SCORERS)
    for name in SCORERS:
        assert ((result[f"test_{name}"] > 0.3) & (result[f"test_{name}"] <= 1)).all()
    grid = {"pca__n_components": [1, 2, 4]}
    search = GridSearchCV(
        model, grid, scoring=make_embedding_scorer(recall_at_k), cv=3, error_score="raise"
    )
    search.fit(X, y)
    best = search.cv_results_["mean_test_score"].max()
    assert search.best_score_ == best
    search = GridSearchCV(model, grid, scoring=SCORERS, refit="map", cv=3, error_score="raise")
    assert search.fit(X, y).best_score_ > 0.5


def test_groups_reach_the_scorer_by_routing(iris, routing):
    X, y, groups = iris
    scorer = make_embedding_scorer(recall_at_k).set_score_request(groups=True)
    folds = GroupKFold(3)
    result = cross_validate(
        PCA(2), X, y, params={"groups": groups}, cv=folds, scoring=scorer, error_score="raise"
    )
    expected = []
    for train, test in folds.split(X, y, groups):
        Z = PCA(2).fit(X[train]).transform(X[test])
        expected.append(recall_at_k(Z, y[test], groups=groups[test]))
    assert_allclose(result["test_score"], expected)


@pytest.mark.parametrize("several", [False, True])
def test_groups_reach_the_scorer_in_a_search(iris, routing, several):
    X, y, groups = iris
    scorer = make_embedding_scorer(mean_average_precision_at_r).set_score_request(groups="subjects")
    scoring = (
        {"a": scorer, "nmi": make_embedding_scorer(clustering_nmi, random_state=0)}
        if several
        else scorer
    )
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(
        PCA(), {"n_components": [2]}, scoring=scoring, cv=folds, refit=False, error_score="raise"
    ).fit(X, y, subjects=groups)
    train, test = next(folds.split(X))
    Z = PCA(2).fit(X[train]).transform(X[test])
    expected = mean_average_precision_at_r(Z, y[test], groups=groups[test])
    assert expected != mean_average_precision_at_r(Z, y[test])
    name = "split0_test_a" if several else "split0_test_score"
    assert_allclose(search.cv_results_[name], expected)


def test_groups_without_request_are_refused_not_ignored(iris, routing):
    X, y, groups = iris
    with pytest.raises(UnsetMetadataPassedError, match="groups"):
        cross_validate(
            PCA(),
            X,
            y,
            params={"groups": groups},
            cv=GroupKFold(3),
            scoring=make_embedding_scorer(recall_at_k),
        )
    ignored = make_embedding_scorer(recall_at_k).set_score_request(groups=False)
    cross_validate(PCA(), X, y, params={"groups": groups}, cv=GroupKFold(3), scoring=ignored)


def test_requests_need_routing_and_a_measure_with_groups():
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        make_embedding_scorer(recall_at_k).set_score_request(groups=True)
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match="takes no groups"),
    ):
        make_embedding_scorer(clustering_nmi).set_score_request(groups=True)


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_copies_and_pickles_score_alike(iris, scorer):
    X, y, _ = iris
    pca = PCA(2).fit(X)
    for copy in (clone(scorer, safe=False), pickle.loads(pickle.dumps(scorer))):
        assert copy(pca, X, y) == scorer(pca, X, y)
        assert repr(copy) == repr(scorer)


def test_copy_keeps_its_request(routing):
    scorer = make_embedding_scorer(recall_at_k, k=3).set_score_request(groups="people")
    copy = pickle.loads(pickle.dumps(scorer))
    assert copy.get_metadata_routing().score.requests == {"groups": "people"}


def test_shows_what_it_does():
    assert (
        repr(make_embedding_scorer(recall_at_k, k=3)) == "make_embedding_scorer(recall_at_k, k=3)"
    )
    assert repr(make_embedding_scorer(clustering_nmi)) == "make_embedding_scorer(clustering_nmi)"


def spread(embeddings, labels, **options):
    return float(np.std(embeddings)) * options.get("factor", 1)


def test_takes_a_metric_of_ones_own(iris):
    X, y, groups = iris
    pca = PCA(2).fit(X)
    scorer = make_embedding_scorer(spread, factor=2)
    assert scorer(pca, X, y, groups=groups) == 2 * pca.transform(X).std()


def test_errors_name_the_argument(iris):
    X, y, _ = iris
    with pytest.raises(ArgumentError, match="metric must be a function of embeddings and labels"):
        make_embedding_scorer("recall_at_k")
    with pytest.raises(
        ArgumentError, match="params has 'n_neighbors', which is no argument of recall_at_k"
    ):
        make_embedding_scorer(recall_at_k, n_neighbors=3)
    with pytest.raises(ArgumentError, match="metric recall_at_k returned 2 numbers"):
        make_embedding_scorer(recall_at_k, k=[1, 2])(PCA(2).fit(X), X, y)
