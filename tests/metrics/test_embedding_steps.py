"""What the embedding of a model is: the same for scorers, Displays and files."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skfer import CrossEntropyEmbedder
from skfer.embedders import LabeledOnly
from skfer.inspection._models import embed
from skfer.metrics import make_embedding_scorer, recall_at_k
from skfer.persistence._parts import embedding_part

RNG = np.random.RandomState(0)
Y = np.arange(60) % 4
X = RNG.normal(size=(60, 8)) + np.eye(8)[Y]
EMBEDDER = CrossEntropyEmbedder(6, max_epochs=1, random_state=0).fit(X, Y)
FROZEN = FrozenEstimator(EMBEDDER)
Z = EMBEDDER.transform(X)
PROJECTED = PCA(3).fit(Z).transform(Z)


class Resampler(KNeighborsClassifier):
    """A step of a pipeline that changes which samples there are, in ``fit`` alone."""

    predict = property()

    def fit_resample(self, X, y):
        return X, y


def with_resampler():
    """A pipeline that another package makes of it."""
    model = make_pipeline(FROZEN, SVC()).fit(X, Y)
    model.steps.insert(1, ("resampler", Resampler()))
    return model


SEARCH = {"n_neighbors": [1, 3]}
MODELS = {
    "an embedder": (lambda: EMBEDDER, Z),
    "a frozen one": (lambda: FROZEN, Z),
    "a step before it": (
        lambda: make_pipeline(StandardScaler(with_mean=False, with_std=False), FROZEN).fit(X, Y),
        Z,
    ),
    "neighbors": (lambda: make_pipeline(FROZEN, KNeighborsClassifier()).fit(X, Y), Z),
    "frozen neighbors": (
        lambda: FrozenEstimator(make_pipeline(FROZEN, KNeighborsClassifier()).fit(X, Y)),
        Z,
    ),
    "an SVM": (lambda: make_pipeline(FROZEN, PCA(3), SVC()).fit(X, Y), PROJECTED),
    "a projection": (lambda: make_pipeline(FROZEN, PCA(3)).fit(X, Y), PROJECTED),
    "a classifier that transforms": (
        lambda: make_pipeline(FROZEN, LinearDiscriminantAnalysis()).fit(X, Y),
        Z,
    ),
    "a classifier that transforms before another": (
        lambda: make_pipeline(FROZEN, LinearDiscriminantAnalysis(), SVC()).fit(X, Y),
        LinearDiscriminantAnalysis().fit(Z, Y).transform(Z),
    ),
    "clusters": (lambda: make_pipeline(FROZEN, KMeans(2, n_init=1)).fit(X, Y), Z),
    "a pipeline at the end": (
        lambda: make_pipeline(FROZEN, make_pipeline(PCA(3), SVC())).fit(X, Y),
        PROJECTED,
    ),
    "a pipeline of a classifier at the end": (
        lambda: make_pipeline(FROZEN, make_pipeline(SVC())).fit(X, Y),
        Z,
    ),
    "a search at the end": (
        lambda: make_pipeline(FROZEN, GridSearchCV(KNeighborsClassifier(), SEARCH)).fit(X, Y),
        Z,
    ),
    "a search": (
        lambda: GridSearchCV(
            make_pipeline(FROZEN, KNeighborsClassifier()),
            {"kneighborsclassifier__n_neighbors": [1, 3]},
        ).fit(X, Y),
        Z,
    ),
    "a calibrated embedder": (lambda: CalibratedClassifierCV(FROZEN).fit(X, Y), Z),
    "a calibrated pipeline": (
        lambda: CalibratedClassifierCV(make_pipeline(FROZEN, SVC()), ensemble=False).fit(X, Y),
        Z,
    ),
    "a calibrated pipeline that ends in an embedder": (
        lambda: CalibratedClassifierCV(
            make_pipeline(StandardScaler(with_mean=False, with_std=False), FROZEN), ensemble=False
        ).fit(X, Y),
        Z,
    ),
    "calibrated at the end": (
        lambda: make_pipeline(FROZEN, CalibratedClassifierCV(SVC(), cv=2)).fit(X, Y),
        Z,
    ),
    "labeled samples only": (
        lambda: LabeledOnly(make_pipeline(FROZEN, KNeighborsClassifier())).fit(X, Y),
        Z,
    ),
    "a classifier that transforms only": (
        lambda: make_pipeline(FROZEN, LinearDiscriminantAnalysis(), "passthrough").fit(X, Y),
        LinearDiscriminantAnalysis().fit(Z, Y).transform(Z),
    ),
    "a union": (
        lambda: make_pipeline(make_union(FROZEN, FROZEN), SVC()).fit(X, Y),
        np.hstack([Z, Z]),
    ),
    "a resampler": (with_resampler, Z),
}


def of_a_scorer(model, X):
    """Return the embedding that a scorer measures."""
    found = []
    make_embedding_scorer(lambda Z, y: found.append(Z) or 0.0)(model, X, Y)
    return found[0]


EMBEDDING_BY = {
    "scorer": of_a_scorer,
    "display": embed,
    "file": lambda model, X: embedding_part(model).transform(X),
}


@pytest.mark.parametrize("by", EMBEDDING_BY)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_one_embedding(name, by):
    model, wanted = MODELS[name]
    assert_array_equal(EMBEDDING_BY[by](model(), X), wanted)


def test_what_is_no_embedder_and_learns_a_projection_is_measured():
    """Such as NeighborhoodComponentsAnalysis; one that predicts, too, with nothing after it."""
    scorer = make_embedding_scorer(recall_at_k)
    projection = NeighborhoodComponentsAnalysis(2, random_state=0)
    model = make_pipeline(StandardScaler(), projection).fit(X, Y)
    assert scorer(model, X, Y) == recall_at_k(model.transform(X), Y)
    alone = LinearDiscriminantAnalysis().fit(X, Y)
    assert scorer(alone, X, Y) == recall_at_k(alone.transform(X), Y)


def test_one_classifier_of_several_embedders_has_no_embedding():
    folds = CalibratedClassifierCV(CrossEntropyEmbedder(4, max_epochs=1, random_state=0), cv=2)
    model = make_pipeline(StandardScaler(), folds).fit(X, Y)
    for by in ("display", "file"):
        with pytest.raises(ValueError, match=r"(estimator|model) .*CalibratedClassifierCV"):
            EMBEDDING_BY[by](model, X)
