"""What predicts after an embedder."""

import numpy as np
import pytest

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder
from skfer.evaluation import CLASSIFIERS, compare, pca_baseline, with_classifier
from skfer.exceptions import ArgumentError

X = np.random.RandomState(0).randint(0, 256, (24, 16, 16)).astype(np.uint8)
Y = np.arange(24) % 2
SPLITS = [(np.arange(12), np.arange(12, 24))]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_all_names_predict(name):
    embedder = GaussianMetricEmbedder(max_epochs=1, random_state=0)
    model = with_classifier(embedder, name).fit(X, Y)
    (fit,) = compare({"mine": embedder}, X, Y, SPLITS, classifier=name, seeds=[0])
    expected = with_classifier(embedder, name).fit(X[:12], Y[:12]).predict(X[12:])
    assert fit.predicted == expected.tolist()
    assert set(model.predict(X)) <= {0, 1}
    assert (model is embedder) == (name == "own")


def test_an_embedder_that_does_not_predict():
    with pytest.raises(ArgumentError, match="classifier=own: pca has no prediction of its own"):
        list(compare({"pca": pca_baseline()}, X, Y, SPLITS, classifier="own"))


@pytest.mark.parametrize("classifier", ["own", "knn"])
def test_a_method_that_does_not_embed(classifier):
    model = with_classifier(pca_baseline(), "knn")
    with pytest.raises(ArgumentError, match="methods must embed, and 'p', a Pipeline, has no tran"):
        next(compare({"p": model}, X, Y, SPLITS, classifier=classifier))


def test_unknown_names():
    with pytest.raises(ArgumentError, match=r"name must be one of 'knn', 'svm', .*, got 'tree'"):
        with_classifier(CrossEntropyEmbedder(), "tree")
