"""Agreement of k-means clusters with labels."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from skfer.exceptions import ArgumentError
from skfer.metrics import clustering_nmi


def blobs(gap, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(4), 30)
    return rng.normal(size=(120, 5)) + gap * np.eye(5)[y], y


def test_far_classes_agree_and_noise_does_not():
    X, y = blobs(gap=50)
    names = np.array(["a", "b", "c", "d"])
    assert clustering_nmi(X, names[y], random_state=0) == pytest.approx(1)
    X, y = blobs(gap=0)
    assert clustering_nmi(X, y, random_state=0) < 0.2


def test_is_nmi_of_k_means_and_repeatable():
    X, y = blobs(gap=2)
    clusters = KMeans(n_clusters=3, n_init=2, random_state=7).fit_predict(X)
    expected = normalized_mutual_info_score(y, clusters)
    for _ in range(2):
        assert clustering_nmi(X, y, n_clusters=3, n_init=2, random_state=7) == expected


@pytest.mark.parametrize(
    ("dtype", "exponents"), [(np.float32, (66, 125, -125)), (np.float64, (530, 1019, -565, -1000))]
)
def test_the_unit_does_not_matter(dtype, exponents):
    perfect, classes = np.repeat(np.eye(3), 20, axis=0).astype(dtype), np.repeat([0, 1, 2], 20)
    X, y = blobs(gap=2)
    X = X.astype(dtype)
    value = clustering_nmi(X, y, random_state=0)
    clusters = KMeans(n_clusters=4, n_init=10, random_state=0).fit_predict(X)
    assert value == normalized_mutual_info_score(y, clusters)
    for exponent in exponents:
        assert clustering_nmi(np.ldexp(perfect, exponent), classes, random_state=0) == 1
        assert clustering_nmi(np.ldexp(X, exponent), y, random_state=0) == value


def test_errors_name_the_argument():
    with pytest.raises(
        ValueError, match="n_clusters must be a whole number of at least 1 and of at most 2, got 5"
    ):
        clustering_nmi([[0.0], [1.0]], [0, 1], n_clusters=5)
    with pytest.raises(ValueError, match="labels has 3 entries but embeddings has 2 rows"):
        clustering_nmi([[0.0], [1.0]], [0, 1, 2])
    for n_init in (0, 10_001):
        with pytest.raises(ValueError, match=f"n_init must be .* got {n_init}"):
            clustering_nmi([[0.0], [1.0]], [0, 1], n_init=n_init)
    with pytest.raises(ArgumentError, match="random_state must be"):
        clustering_nmi([[0.0], [1.0]], [0, 1], random_state="tuesday")


def test_limits_that_are_taken():
    assert clustering_nmi([[0.0], [1.0]], [0, 1], n_clusters=1, n_init=1) == 0
    assert clustering_nmi([[0.0]] * 2 + [[1.0]], [0, 0, 1], n_init=1) == 1
