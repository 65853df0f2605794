"""Classes as Gaussians, one or several to a class: fitting, densities, splitting."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
LEAST_SHARE = 1e-3
"""No variance is below this share of the whole set's: classes of one sample have none."""
LEAST_DISTANCE = 2.4
"""In standard deviations. Two equal Gaussians have two modes from a distance of 2 on."""
LEAST_DISTANCE_INSIDE = 3.2
"""The same inside a group that the network was trained to make: no Gaussian, it may fall into two
that lie 3 apart, though nothing is there to be found."""
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
    classes = posterior @ np.eye(n_classes)[owners]
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
    covariance_type: str = "tied",
    present: Codes | None = None,
    random_state: np.random.RandomState,
) -> tuple[Codes, Codes]:
    """Find groups of points inside each class, where the data speak for more than one.

    The points of a class are projected to their principal components. There, mixtures of
    Gaussians are compared; see :func:`_choose`.

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
    covariance_type : {"full", "tied", "diag", "spherical"}, default="tied"
        Covariance of the mixtures that are compared.
    present : array of int of shape (n_classes,), default=None
        How many groups each class was trained to have; 1 by default. A class without points has
        one group, which is empty.
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
    for code in range(codes.max() + 1 if present is None else len(present)):
        members = np.flatnonzero(codes == code)
        limit = _limit(points[members], max_components)
        groups = np.zeros(len(members), dtype=np.intp)
        if limit > 1:
            fit = _Fitter(covariance_type, random_state.randint(2**31 - 1))
            n = 1 if present is None else int(present[code])
            groups = _choose(_project(points[members], n_dimensions), limit, n, fit)
        labels[members] = len(owners) + groups
        owners += [code] * (int(groups.max(initial=0)) + 1)
    return labels, np.array(owners, dtype=np.intp)


def of_labelled(labels: Codes, owners: Codes, codes: Codes) -> tuple[Codes, Codes]:
    """Leave out groups that no labelled point is in, and the strangers in the others.

    Strangers help to find the groups; what they are is guessed before every epoch. A class without
    a labelled point keeps its first group, empty.

    Parameters
    ----------
    labels, owners
        From :func:`split_classes`.
    codes : array of int of shape (n_points,)
        Class of each point, -1 for strangers.

    Returns
    -------
    labels, owners
        Of the same kind, the labels of strangers -1.
    """
    known = codes >= 0
    kept = np.bincount(labels[known], minlength=len(owners)) > 0
    _, firsts = np.unique(owners, return_index=True)
    kept[[k for k in firsts if not kept[owners == owners[k]].any()]] = True
    places = np.cumsum(kept) - 1
    return np.where(known, places[labels], -1), owners[kept]


def _limit(points: NDArray[np.floating], max_components: int) -> int:
    limit = min(max_components, len(points) // SAMPLES_PER_SUBCLASS)
    return min(limit, len(np.unique(points, axis=0))) if limit > 1 else 1


def _project(points: NDArray[np.floating], n_dimensions: int) -> Floats:
    """Return the first principal components."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    left, scales, _ = np.linalg.svd(centred, full_matrices=False)
    return (left * scales)[:, :n_dimensions]


def _choose(points: Floats, limit: int, present: int, fit: _Fitter) -> Codes:
    """Return the group of each point of one class; a group that nobody joins is left out.

    A class that is whole is split into as few groups as the data speak for. One that is split
    becomes whole again if the criterion no longer prefers as many groups to one; else each of its
    groups is judged as a class is, and the one that falls into two most clearly does. To compare
    the number of groups over the whole class would not do: the network makes clusters of what it
    is trained to tell apart, and these are no Gaussians, so that more of them always fit better.
    """
    if present == 1:
        return _split(points, limit, fit)
    mixture = fit(points, min(present, limit))
    if _evidence(points, mixture, fit) <= LEAST_EVIDENCE:
        return np.zeros(len(points), dtype=np.intp)
    groups = _renumbered(mixture.predict(points))
    return groups if groups.max() + 1 >= limit else _grow(points, groups, fit)


def _split(points: Floats, limit: int, fit: _Fitter) -> Codes:
    """Return as few groups as the criterion clearly prefers to one and that lie apart."""
    for k in range(2, limit + 1):
        mixture = fit(points, k)
        if _evidence(points, mixture, fit) > LEAST_EVIDENCE and _are_apart(mixture):
            return _renumbered(mixture.predict(points))
    return np.zeros(len(points), dtype=np.intp)


def _grow(points: Floats, groups: Codes, fit: _Fitter) -> Codes:
    """Split the group that falls into two most clearly, if one does."""
    best, grown = LEAST_EVIDENCE, groups
    for k in range(groups.max() + 1):
        members = np.flatnonzero(groups == k)
        if _limit(points[members], 2) < 2:
            continue
        mixture = fit(points[members], 2)
        evidence = _evidence(points[members], mixture, fit)
        if evidence > best and _are_apart(mixture, LEAST_DISTANCE_INSIDE):
            second = members[mixture.predict(points[members]) == 1]
            best, grown = evidence, groups.copy()
            grown[second] = groups.max() + 1
    return _renumbered(grown)


def _renumbered(groups: Codes) -> Codes:
    return np.unique(groups, return_inverse=True)[1]


def _evidence(points: Floats, mixture: GaussianMixture, fit: _Fitter) -> float:
    """Return by how much the Bayesian information criterion prefers a mixture to one Gaussian."""
    return fit(points, 1).bic(points) - mixture.bic(points)


@dataclass(frozen=True)
class _Fitter:
    """Fits scikit-learn's mixtures of one kind."""

    covariance_type: str
    seed: int

    def __call__(self, points: Floats, n_components: int) -> GaussianMixture:
        # It brings most of scikit-learn along, which `import skfer` can do without.
        from sklearn.mixture import GaussianMixture

        mixture = GaussianMixture(
            n_components,
            covariance_type=self.covariance_type,
            reg_covar=LEAST_SHARE * points.var(axis=0).mean() + np.finfo(np.float32).tiny,
            n_init=1 if n_components == 1 else N_STARTS,
            max_iter=MAX_STEPS,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            # The last of many steps are of no account.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return mixture.fit(points)


def _are_apart(mixture: GaussianMixture, least: float = LEAST_DISTANCE) -> bool:
    """Whether every two Gaussians are `least` standard deviations apart, and none is small."""
    means, matrices = mixture.means_, _matrices(mixture)
    if mixture.weights_.min() * len(means) < LEAST_PART:
        return False
    for i, j in combinations(range(len(means)), 2):
        step = means[i] - means[j]
        squared = step @ np.linalg.solve((matrices[i] + matrices[j]) / 2, step)
        if squared < least**2:
            return False
    return True


def _matrices(mixture: GaussianMixture) -> list[Floats]:
    """Return the covariance matrix of every Gaussian, whatever the type."""
    k, d = mixture.means_.shape
    covariances = mixture.covariances_
    if mixture.covariance_type == "tied":
        return [covariances] * k
    if mixture.covariance_type == "full":
        return list(covariances)
    return [np.eye(d) * variances for variances in covariances]
