"""How well the natural clusters of an embedding agree with the labels."""

import numpy as np
from sklearn.metrics import normalized_mutual_info_score

from skfer._typing import ArrayLike
from skfer.metrics._coordinates import find_exponent
from skfer.validation import (
    check_int,
    check_labels,
    check_random_seed,
    check_rows,
    number_values,
)


def clustering_nmi(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    n_clusters: int | None = None,
    n_init: int = 10,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Compare k-means clusters of an embedding with the labels by their mutual information.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_dims)
        Samples to cluster.
    labels : array-like of shape (n_samples,)
        Their labels, numbers or strings. Leave unlabeled samples out.
    n_clusters : int, default=None
        Number of clusters; None takes the number of distinct labels.
    n_init : int, default=10
        How often k-means starts anew; the run of least inertia counts.
    random_state : int, RandomState instance or None, default=None
        Draws the starts of k-means. Give an int for a result that can be repeated.

    Returns
    -------
    nmi : float
        Normalized mutual information (NMI) between 0 (independent) and 1 (the same partition):
        divided by the arithmetic mean of the two entropies.

    Raises
    ------
    ValueError
        When there are fewer samples than clusters, labels are missing, or the arguments do not fit
        each other.

    See Also
    --------
    recall_at_k : Asks the nearest neighbors instead of clusters.

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
    rows = check_rows(embeddings, "embeddings")
    labels = check_labels(labels, "labels", n_samples=len(rows), rows_name="embeddings")
    (codes,) = number_values(labels, names=["labels"])
    if n_clusters is None:
        n_clusters = int(codes.max()) + 1
    n_clusters = check_int(
        n_clusters,
        "n_clusters",
        at_least=1,
        at_most=len(rows),
        hint="There cannot be more clusters than samples in embeddings.",
    )
    n_init = check_int(n_init, "n_init", at_least=1, at_most=10_000)
    check_random_seed(random_state)
    # Here, since importing it takes as long as a prediction, which does not need it.
    from sklearn.cluster import KMeans

    k_means = KMeans(n_clusters=n_clusters, n_init=n_init, random_state=random_state)
    # Of a power of two, which changes no digit; squares of huge rows overflow, tiny ones vanish.
    clusters = k_means.fit_predict(np.ldexp(rows, find_exponent(rows)))
    return float(normalized_mutual_info_score(codes, clusters))
