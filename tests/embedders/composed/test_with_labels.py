"""WithLabels: an embedder of classes before a regressor of degrees."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skfer
from skfer import CrossEntropyEmbedder
from skfer.embedders import WithLabels
from skfer.exceptions import ArgumentError

EMBEDDER = CrossEntropyEmbedder(8, max_epochs=8, random_state=0)


@parametrize_with_checks([WithLabels(CrossEntropyEmbedder(max_epochs=20, random_state=0))])
@pytest.mark.filterwarnings("ignore::skfer.EmbeddingCollapseWarning")
def test_check(estimator, check):
    if "array_api" not in str(check):  # it would skip itself
        check(estimator)


def test_it_embeds_as_the_embedder_does(rows):
    X, y = rows
    expected = clone(EMBEDDER).fit(X, y).transform(X)
    degree = np.linspace(0, 1, len(y))
    wrapped = WithLabels(EMBEDDER).fit(X, degree, labels=y, groups=np.arange(len(y)))
    assert_array_equal(wrapped.transform(X), expected)
    assert_array_equal(wrapped.fit_transform(X, y), expected)
    assert wrapped.get_feature_names_out()[0] == "crossentropyembedder0"


def test_without_it_a_pipeline_has_no_way(rows):
    X, y = rows
    with pytest.raises(ValueError, match="continuous"):
        make_pipeline(EMBEDDER, KNeighborsRegressor()).fit(X, np.linspace(0, 1, len(y)))


@pytest.mark.usefixtures("routing")
def test_two_targets_in_pipelines_searches_and_files(rows, tmp_path):
    X, y = rows
    degree = np.unique(y, return_inverse=True)[1] + np.linspace(0, 0.1, len(y))
    learner = WithLabels(clone(EMBEDDER)).set_fit_request(labels=True)
    model = make_pipeline(StandardScaler(), learner, KNeighborsRegressor(3))
    model.fit(X, degree, labels=y)
    assert model.score(X, degree) > 0.8
    assert cross_val_score(model, X, degree, params={"labels": y}, cv=2).shape == (2,)
    grid = {"withlabels__embedder__embedding_dim": [4, 8]}
    search = GridSearchCV(model, grid, cv=2).fit(X, degree, labels=y)
    assert search.best_estimator_[1].embedder_.embedding_dim in (4, 8)
    skfer.save(model, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer")
    assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("embedder", [EMBEDDER, make_pipeline(StandardScaler(), EMBEDDER)])
def test_degrees_without_labels_are_told_of_labels(rows, embedder):
    X, y = rows
    degree = np.linspace(0, 1, len(y))
    told = "labels is missing, and y, which stands for it, holds no classes: give the classes to"
    with pytest.raises(ArgumentError, match=told) as caught:
        WithLabels(embedder).fit(X, degree)
    assert caught.value.arguments == ("labels", "y")
    with pytest.raises(ValueError, match=r"^Unknown label type"):
        WithLabels(embedder).fit(X, y, labels=degree)
    with pytest.raises(ValueError, match="NaN"):
        WithLabels(embedder).fit(np.where(np.isclose(X, X[0, 0]), np.nan, X), y)


def test_what_learns_from_degrees_may():
    X = np.random.default_rng(0).normal(size=(20, 3))
    assert WithLabels(PLSRegression(2)).fit(X, X[:, 0]).transform(X).shape == (20, 2)


def test_labels_of_another_length_are_told_as_such(rows):
    X, y = rows
    with pytest.raises(ArgumentError, match=f"labels has 3 entries but X has {len(X)} rows"):
        WithLabels(EMBEDDER).fit(X, y, labels=y[:3])
