"""How an embedding comes to the plane: what a transformer is shown, and which t-SNE it is."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.manifold import TSNE

from skfer.inspection._projection import project

SEEN = []


class TakesTargets(TransformerMixin, BaseEstimator):
    """Notes what it is shown; it takes targets, as UMAP does, and may not need them."""

    def __init__(self, needs=False):
        self.needs = needs

    def fit(self, X, y=None):
        SEEN.append((X, y))
        return self

    def transform(self, X):
        return X[:, :2]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.needs
        return tags


@pytest.mark.parametrize("needs", [False, True])
@pytest.mark.parametrize("n_reference", [0, 5])
def test_classes_are_shown_to_what_needs_them_alone(needs, n_reference):
    rng = np.random.RandomState(0)
    Z, codes = rng.normal(size=(12, 3)), np.arange(12) % 3
    reference = Z[:n_reference] if n_reference else None
    SEEN.clear()
    plane = project(Z[n_reference:], reference, codes, TakesTargets(needs), None)
    ((X, y),) = SEEN
    n_fitted = n_reference or 12
    np.testing.assert_array_equal(X, Z[:n_fitted])
    assert (None if y is None else y.tolist()) == (codes[:n_fitted].tolist() if needs else None)
    np.testing.assert_array_equal(plane.points, Z[:, :2])


@pytest.mark.parametrize(("n", "perplexity"), [(3, 1), (31, 10), (97, 30)])
def test_perplexity_is_as_told_and_no_more_than_a_third_of_the_points(n, perplexity):
    Z = np.random.RandomState(0).normal(size=(n, 4))
    plane = project(Z, None, np.zeros(n, dtype=np.intp), "tsne", 0)
    assert plane.told == f"t-SNE, perplexity {perplexity}"
    expected = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(Z)
    np.testing.assert_array_equal(plane.points, expected)
