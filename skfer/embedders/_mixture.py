"""Classes as Gaussians, one or several to a class: fitting, densities, splitting."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.spatial.distance import pdist
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
LEAST_SHARE = 1e-3
"""No variance is below this share of the whole set's: classes of one sample have none."""
LEAST_DISTANCE = 2.4
"""In standard deviations. Two equal Gaussians have two modes from a distance of 2 on."""
LEAST_EVIDENCE = 10.0
"""Difference in the Bayesian information criterion: very strong evidence, by Kass and Raftery
("Bayes Factors", 1995). Of Gaussians drawn at random one in a hundred gains something by two
parts that lie apart, and none of 700 so much."""
LEAST_PART = 0.5
"""What a group has to have at least, of an equal share of its class."""
SAMPLES_PER_SUBCLASS = 10
"""A class may have one sub-class for so many of its samples."""
N_STARTS = 5
MAX_STEPS = 200

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Mixture:
    """Gaussians with weights.

    Attributes
    ----------
    means : ndarray of shape (n_components, n_features)
        Centres.
    covariances : ndarray
        Of the shape that scikit-learn's GaussianMixture has for `covariance_type`.
    weights : ndarray of shape (n_components,)
        Shares; 0 for a component without samples.
    covariance_type : {"full", "tied", "diag", "spherical"}
        What `covariances` holds.
    """

    means: Floats
    covariances: Floats
    weights: Floats
    covariance_type: str

    def log_joint(self, points: NDArray[np.floating]) -> Floats:
        """Return log(weight * density), shape (n_points, n_components); -inf for weight 0."""
        points = np.asarray(points, dtype=np.float64)
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        columns = [
            _log_density(points - mean, self._covariance(k)) for k, mean in enumerate(self.means)
        ]
        return np.stack(columns, axis=1) + log_weights

    def _covariance(self, k: int) -> Floats:
        return self.covariances if self.covariance_type == "tied" else self.covariances[k]


def _log_density(centred: Floats, covariance: Floats) -> Floats:
    """Log density of a Gaussian around 0 with a matrix, variances or one variance."""
    n_features = centred.shape[1]
    if np.ndim(covariance) == 2:
        cholesky = np.linalg.cholesky(covariance)
        scaled = solve_triangular(cholesky, centred.T, lower=True)
        log_det = 2 * np.log(np.diag(cholesky)).sum()
        squared = np.square(scaled).sum(axis=0)
    else:
        variances = np.broadcast_to(covariance, n_features)
        log_det = np.log(variances).sum()
        squared = (np.square(centred) / variances).sum(axis=1)
    return -0.5 * (squared + log_det + n_features * np.log(2 * np.pi))


def fit_mixture(
    points: NDArray[np.floating], labels: Codes, n_components: int, covariance_type: str
) -> Mixture:
    """Fit one Gaussian to the points of each label, down to a single point.

    The covariance of all labels together is the mean of their scatter and an isotropic one,
    which counts as ``n_features`` points; that of a label is the mean of its own scatter and
    the covariance of all together, which counts as ``n_features`` points too (one point, if
    only variances are fitted). So a label with few points has nearly that of all.

    Parameters
    ----------
    points : array of shape (n_points, n_features)
        Where the points are.
    labels : array of int of shape (n_points,)
        Component of each point, from 0 to ``n_components - 1``.
    n_components : int
        Number of Gaussians; one without points gets weight 0.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Whether a component has a covariance matrix, shares one, or has variances or one.

    Returns
    -------
    Mixture
    """
    points = np.asarray(points, dtype=np.float64)
    counts = np.bincount(labels, minlength=n_components)
    means = np.zeros((n_components, points.shape[1]))
    np.add.at(means, labels, points)
    means /= np.maximum(counts, 1)[:, None]
    centred: NDArray[np.float64] = points - means[labels]
    common = _common_covariance(points, centred)
    covariances = _covariances(centred, labels, counts, common, covariance_type)
    return Mixture(means, covariances, counts / len(points), covariance_type)


def _common_covariance(points: NDArray[Any], centred: NDArray[Any]) -> Floats:
    n, n_features = points.shape
    least = LEAST_SHARE * points.var(axis=0).mean() + np.finfo(np.float32).tiny
    isotropic = np.eye(n_features) * max(np.square(centred).mean(), least)
    return (centred.T @ centred + n_features * isotropic) / (n + n_features)


def _covariances(
    centred: Floats, labels: Codes, counts: NDArray[np.intp], common: Floats, covariance_type: str
) -> Floats:
    if covariance_type == "tied":
        return common
    groups = [centred[labels == k] for k in range(len(counts))]
    if covariance_type == "full":
        prior = common.shape[0]
        scatters = [(group.T @ group + prior * common) for group in groups]
        return np.stack(scatters) / (counts + prior)[:, None, None]
    variances = np.diag(common)
    sums = np.stack([np.square(group).sum(axis=0) for group in groups])
    diagonals = (sums + variances) / (counts + 1)[:, None]
    return diagonals if covariance_type == "diag" else diagonals.mean(axis=1)


def class_posterior(joint: Floats, owners: Codes, n_classes: int) -> Floats:
    """Sum the components' posterior over each class.

    Parameters
    ----------
    joint : array of shape (n_points, n_components)
        From :meth:`Mixture.log_joint`.
    owners : array of int of shape (n_components,)
        Class of each component.
    n_classes : int
        Number of classes.

    Returns
    -------
    array of shape (n_points, n_classes)
        Rows sum to 1.
    """
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    classes = np.zeros((len(joint), n_classes))
    for component, owner in enumerate(owners):
        classes[:, owner] += posterior[:, component]
    return classes / classes.sum(axis=1, keepdims=True)


def likeliest_component(joint: Floats, owners: Codes, codes: Codes) -> Codes:
    """Return each point's likeliest component, among those of its own class where `codes` >= 0."""
    foreign = (codes[:, None] >= 0) & (owners != codes[:, None])
    # A class without samples yet has weight 0, and yet may be the point's own.
    return np.where(foreign, -np.inf, joint.clip(min=np.finfo(joint.dtype).min)).argmax(axis=1)


def split_classes(
    points: NDArray[np.floating],
    codes: Codes,
    max_components: int,
    *,
    n_dimensions: int = 4,
    present: Codes | None = None,
    random_state: np.random.RandomState,
) -> tuple[Codes, Codes]:
    """Find groups of points inside each class, where the data speak for more than one.

    The points of a class are projected to their principal components. There, mixtures of 1,
    2, ... Gaussians with one covariance are compared; see :func:`_choose`.

    Parameters
    ----------
    points : array of shape (n_points, n_features)
        Where the points are.
    codes : array of int of shape (n_points,)
        Class of each point, -1 for unknown.
    max_components : int
        Most groups of a class; it has at most one for ten of its points.
    n_dimensions : int, default=4
        Number of principal components.
    present : array of int of shape (n_classes,), default=None
        How many groups each class was trained to have; 1 by default.
    random_state : RandomState
        Draws the mixtures' first guesses.

    Returns
    -------
    labels : array of int of shape (n_points,)
        Group of each point, numbered over all classes in their order; -1 where unknown.
    owners : array of int of shape (n_groups,)
        Class of each group.
    """
    labels = np.full(len(codes), -1, dtype=np.intp)
    owners: list[int] = []
    for code in range(codes.max() + 1):
        members = np.flatnonzero(codes == code)
        limit = _limit(points[members], max_components)
        groups = np.zeros(len(members), dtype=np.intp)
        if limit > 1:
            seed = random_state.randint(2**31 - 1)
            n = 1 if present is None else int(present[code])
            groups = _choose(_project(points[members], n_dimensions), limit, n, seed)
        labels[members] = len(owners) + groups
        owners += [code] * (int(groups.max(initial=0)) + 1)
    return labels, np.array(owners, dtype=np.intp)


def _limit(points: NDArray[np.floating], max_components: int) -> int:
    limit = min(max_components, len(points) // SAMPLES_PER_SUBCLASS)
    return min(limit, len(np.unique(points, axis=0))) if limit > 1 else 1


def _project(points: NDArray[np.floating], n_dimensions: int) -> Floats:
    """Return the first principal components."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    left, scales, _ = np.linalg.svd(centred, full_matrices=False)
    return (left * scales)[:, :n_dimensions]


def _choose(points: Floats, limit: int, present: int, seed: int) -> Codes:
    """Return the group of each point of one class; a group that nobody joins is left out.

    A class that is whole is split into as few groups as the Bayesian information criterion
    clearly prefers to one, if these are far enough apart. The network then makes clusters of what
    it is trained to tell apart. These are no Gaussians, and more Gaussians would always fit them
    better: so the number stays, or the class becomes whole again.
    """
    whole = _fit(points, 1, seed)
    for k in range(2, limit + 1) if present == 1 else [min(present, limit)]:
        mixture = _fit(points, k, seed)
        better = whole.bic(points) - mixture.bic(points)
        if better > LEAST_EVIDENCE and (present > 1 or _are_apart(mixture)):
            return np.unique(mixture.predict(points), return_inverse=True)[1]
    return np.zeros(len(points), dtype=np.intp)


def _fit(points: Floats, n_components: int, seed: int) -> GaussianMixture:
    # It brings most of scikit-learn along, which `import skfer` can do without.
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        n_components,
        covariance_type="tied",
        reg_covar=LEAST_SHARE * points.var(axis=0).mean() + np.finfo(np.float32).tiny,
        n_init=1 if n_components == 1 else N_STARTS,
        max_iter=MAX_STEPS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # The last of many steps are of no account.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(points)


def _are_apart(mixture: GaussianMixture) -> bool:
    """Whether every two Gaussians are far enough apart, and none is small."""
    means = mixture.means_ @ mixture.precisions_cholesky_
    large = mixture.weights_.min() * len(means) >= LEAST_PART
    return bool(large and pdist(means).min() >= LEAST_DISTANCE)
