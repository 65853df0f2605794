"""How well the natural clusters of an embedding agree with the labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.utils import check_array, check_consistent_length, column_or_1d


def clustering_nmi(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    n_clusters: int | None = None,
    n_init: int = 10,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Normalised mutual information between k-means clusters of an embedding and the labels.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_dims)
        Samples to cluster.
    labels : array-like of shape (n_samples,)
        Their labels, numbers or strings. Leave unlabelled samples out.
    n_clusters : int, default=None
        Number of clusters; None takes the number of distinct labels.
    n_init : int, default=10
        How often k-means starts anew; the run of least inertia counts.
    random_state : int, RandomState instance or None, default=None
        Draws the starts of k-means. Give an int for a result that can be repeated.

    Returns
    -------
    nmi : float
        Between 0 (independent) and 1 (the same partition), normalised by the arithmetic mean of
        the two entropies.

    Raises
    ------
    ValueError
        When there are fewer samples than clusters or the arguments do not fit each other.

    References
    ----------
    .. [1] H. Oh Song et al., "Deep metric learning via lifted structured feature embedding",
       CVPR 2016.

    Examples
    --------
    >>> from skfer.metrics import clustering_nmi
    >>> clustering_nmi([[0.0], [0.1], [5.0], [5.1]], ["a", "a", "b", "b"], random_state=0)
    1.0
    """
    rows: np.ndarray = check_array(
        embeddings, dtype=(np.float64, np.float32), input_name="embeddings"
    )
    labels = column_or_1d(np.asarray(labels))
    check_consistent_length(rows, labels)
    n_clusters = len(np.unique(labels)) if n_clusters is None else n_clusters
    if n_clusters > len(rows):
        raise ValueError(
            f"n_clusters={n_clusters} is more than the {len(rows)} samples in embeddings: "
            "ask for fewer clusters."
        )
    k_means = KMeans(n_clusters=n_clusters, n_init=n_init, random_state=random_state)
    return float(normalized_mutual_info_score(labels, k_means.fit_predict(rows)))
