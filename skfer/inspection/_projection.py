"""An embedding taken to the plane."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import get_tags

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.validation import shown

PROJECTIONS = ("pca", "tsne", "umap")

_FEWEST_FOR_UMAP = 4  # its layout of fewer has no neighbors to go by


class Plane(NamedTuple):
    """Places in the plane, those of a reference set first, and how they were found."""

    points: NDArray[np.float64]
    told: str


def project(
    embedding: NDArray[Any],
    reference: NDArray[Any] | None,
    codes: NDArray[np.intp],
    projection: Any,
    random_state: Any,
) -> Plane:
    """Take an embedding, and a reference set before it, to the plane.

    Parameters
    ----------
    embedding : ndarray of shape (n, n_dims)
        What is shown.
    reference : ndarray of shape (n_reference, n_dims) or None
        What the projection is fitted to, if it can be applied to others; otherwise both are
        projected together.
    codes : ndarray of shape (n_reference + n,)
        Classes: a single coordinate is spread by them.
    projection : {"pca", "tsne", "umap"} or transformer
        A transformer is cloned.
    random_state : int, RandomState or None
        For t-SNE and UMAP.
    """
    both = embedding if reference is None else np.concatenate([reference, embedding])
    if both.shape[1] == 1:
        return Plane(_spread(both[:, 0], codes), "one coordinate, a row for each class")
    n_fitted = len(both) if reference is None else len(reference)
    if isinstance(projection, str) and projection == "pca":
        return _by_pca(both, n_fitted)
    model, told = _model(projection, len(both), n_fitted, random_state)
    # Those that only take targets (as UMAP does) would be shown what they should not see.
    targets = codes if get_tags(model).target_tags.required else None
    if reference is not None and hasattr(model, "transform"):
        model = model.fit(reference, None if targets is None else targets[: len(reference)])
        points = np.concatenate([model.transform(reference), model.transform(embedding)])
    else:
        points = model.fit_transform(both, targets)
    points = np.asarray(points, dtype=np.float64).reshape(len(both), -1)
    if points.shape[1] == 1:
        return Plane(_spread(points[:, 0], codes), f"{told}, a row for each class")
    return Plane(points[:, :2], told)


def _by_pca(both: NDArray[Any], n_fitted: int) -> Plane:
    """Two principal components; fewer samples or a collapsed embedding give zeros."""
    fitted = both[:n_fitted].astype(np.float64)
    points = np.zeros((len(both), 2))
    n = min(2, *fitted.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        pca = PCA(n, svd_solver="full").fit(fitted)
    points[:, :n] = pca.transform(both.astype(np.float64))
    total = fitted.var(axis=0, ddof=1).sum() if n_fitted > 1 else 0.0
    share = pca.explained_variance_.sum() / total if total > 0 else 0.0
    return Plane(points, f"two principal components, {share:.0%} of the variance")


def _model(projection: Any, n: int, n_fitted: int, random_state: Any) -> tuple[Any, str]:
    if isinstance(projection, str) and projection == "tsne":
        perplexity = min(30.0, max(1.0, (n - 1) / 3))
        model = TSNE(2, perplexity=perplexity, init="pca", random_state=random_state)
        return model, f"t-SNE, perplexity {perplexity:.0f}"
    if isinstance(projection, str) and projection == "umap":
        try:
            import umap
        except ImportError as error:
            raise ImportError(
                "projection='umap' needs umap-learn, which is not installed: pip install "
                "umap-learn, or give projection='tsne'."
            ) from error
        if n_fitted < _FEWEST_FOR_UMAP:
            raise ArgumentError(
                "{projection=umap} needs {} samples at least, got {}: give 'pca'.",
                _FEWEST_FOR_UMAP,
                n_fitted,
            )
        # It warns where it has to change what it is asked for: a seed takes one thread.
        jobs = {} if random_state is None else {"n_jobs": 1}
        neighbors = max(2, min(15, n_fitted - 1))
        model = umap.UMAP(neighbors, n_components=2, random_state=random_state, **jobs)
        return model, f"UMAP, {neighbors} neighbors"
    if isinstance(projection, str) or not hasattr(projection, "fit_transform"):
        raise ArgumentError(
            "{projection} must be one of {} or a transformer, got {}.",
            ", ".join(map(repr, PROJECTIONS)),
            shown(projection),
        )
    return clone(projection), type(projection).__name__


def _spread(values: NDArray[Any], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """One coordinate as a picture: a row for each class, and points beside each other in it."""
    jitter = (np.arange(len(values)) * 0.618034) % 1 - 0.5
    height = np.ptp(values) / max(1, codes.max(initial=0) + 1) or 1.0
    return np.column_stack([values, -(codes + 0.7 * jitter) * height])
