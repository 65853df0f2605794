"""Classes as Gaussians, one or several for each class: fitting, densities, posteriors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from skfer._typing import NDArray

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
LEAST_SHARE = 1e-3
"""No variance is below this share of the whole set's: a class of one sample has none."""

GENERALIZATION = 2.0
"""So many times the variance of the samples that a network was trained on is taken for that of new
ones: more of it lowers the log loss where classes are alike in number, and has priors outweigh rare
classes."""

LEAST_SPREAD = 0.08
"""The least variance of new samples around the mean of their class, as a share of the mean squared
distance between the means of two classes, that a posterior is to be believed by: where faces are
told apart easily less would be best, and where it is hard more, whatever their number."""

_CHUNK = 4096
"""Number of points that are held in double precision at a time."""

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


class Components(NamedTuple):
    """Which component of a mixture each sample is in, and which class each component is part of.

    Attributes
    ----------
    labels : array of int of shape (n_samples,)
        Component of each sample, -1 where it is unknown.
    classes : array of int of shape (n_components,)
        Class of each component.
    """

    labels: Codes
    classes: Codes


@dataclass(frozen=True)
class Mixture:
    """Gaussians with weights.

    Attributes
    ----------
    means : ndarray of shape (n_components, n_features)
        Centers.
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
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        joint = np.empty((len(points), len(self.means)))
        for rows in _chunks(len(points)):
            some = np.asarray(points[rows], dtype=np.float64)
            for k, mean in enumerate(self.means):
                joint[rows, k] = _log_density(some - mean, self._covariance(k))
        return joint + log_weights

    def whitening(self) -> tuple[Floats, Floats]:
        """Return the densities as matrices and constants.

        Returns
        -------
        matrices : ndarray of shape (n_components or 1, n_features, n_features)
            What brings a row, less the mean, to unit covariance, from the right; one for all if
            they share it.
        constants : ndarray of shape (n_components,)
            ``log_joint`` is this constant less half of the squared length of such a row.
        """
        n_features = self.means.shape[1]
        shared = self.covariance_type == "tied"
        roots = []
        for k in range(1 if shared else len(self.means)):
            covariance = self._covariance(k)
            if np.ndim(covariance) < 2:
                covariance = np.diag(np.broadcast_to(covariance, n_features))
            cholesky = np.linalg.cholesky(covariance)
            roots.append(solve_triangular(cholesky, np.eye(n_features), lower=True).T)
        log_det = np.array([-2 * np.log(np.diag(root)).sum() for root in roots])
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        return np.stack(roots), log_weights - 0.5 * (log_det + n_features * np.log(2 * np.pi))

    def _covariance(self, k: int) -> Floats:
        return self.covariances if self.covariance_type == "tied" else self.covariances[k]


def _log_density(centered: Floats, covariance: Floats) -> Floats:
    """Return the log density of a Gaussian around 0 with a matrix, variances or one variance."""
    n_features = centered.shape[1]
    if np.ndim(covariance) == 2:
        cholesky = np.linalg.cholesky(covariance)
        scaled = solve_triangular(cholesky, centered.T, lower=True)
        log_det = 2 * np.log(np.diag(cholesky)).sum()
        squared = np.square(scaled).sum(axis=0)
    else:
        variances = np.broadcast_to(covariance, n_features)
        log_det = np.log(variances).sum()
        squared = (np.square(centered) / variances).sum(axis=1)
    return -0.5 * (squared + log_det + n_features * np.log(2 * np.pi))


def fit_mixture(
    points: NDArray[np.floating], labels: Codes, n_components: int, covariance_type: str
) -> Mixture:
    """Fit one Gaussian to the points of each label, down to a single point.

    The covariance of all labels together is the mean of their scatter and an isotropic one,
    which counts as ``n_features`` points; that of a label is the mean of its own scatter and
    the covariance of all together, which counts as ``n_features`` points too (one point, if
    only variances are fitted). So a label with few points has nearly the covariance of all.

    Parameters
    ----------
    points : array of shape (n_points, n_features)
        Where the points are.
    labels : array of int of shape (n_points,)
        Component of each point, from 0 to ``n_components - 1``.
    n_components : int
        Number of Gaussians; one without points gets weight 0.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Whether a component has a covariance matrix, shares one, or has variances or one variance.

    Returns
    -------
    Mixture
    """
    n_features = points.shape[1]
    counts = np.bincount(labels, minlength=n_components)
    means = np.zeros((n_components, n_features))
    for rows in _chunks(len(points)):
        np.add.at(means, labels[rows], points[rows])
    means /= np.maximum(counts, 1)[:, None]
    scatters = _scatters(points, labels, means, covariance_type)
    common = _common_covariance(points, scatters)
    covariances = _covariances(scatters, counts, common, covariance_type)
    return Mixture(means, covariances, counts / len(points), covariance_type)


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, n, _CHUNK))


@dataclass
class _Scatters:
    """Sums of products of the points' differences from the mean of their component."""

    whole: Floats
    """Over all components, (n_features, n_features)."""
    parts: Floats
    """Of each: (n_components, n_features, n_features), or only the diagonals."""


def _scatters(
    points: NDArray[np.floating], labels: Codes, means: Floats, covariance_type: str
) -> _Scatters:
    n_components, n_features = means.shape
    inner = (n_features, n_features) if covariance_type == "full" else (n_features,)
    found = _Scatters(np.zeros((n_features, n_features)), np.zeros((n_components, *inner)))
    for rows in _chunks(len(points)):
        codes = labels[rows]
        centered = points[rows] - means[codes]
        found.whole += centered.T @ centered
        if covariance_type == "full":
            for k in np.unique(codes):
                group = centered[codes == k]
                found.parts[k] += group.T @ group
        else:
            np.add.at(found.parts, codes, np.square(centered))
    return found


def _common_covariance(points: NDArray[Any], scatters: _Scatters) -> Floats:
    n, n_features = points.shape
    least = least_variance(points)
    isotropic = np.eye(n_features) * max(np.trace(scatters.whole) / points.size, least)
    return (scatters.whole + n_features * isotropic) / (n + n_features)


def least_variance(points: NDArray[Any]) -> float:
    """Return the least variance that a Gaussian fitted to some of the points may have."""
    mean = points.mean(axis=0, dtype=np.float64)
    squares = sum(np.square(points[rows] - mean).sum() for rows in _chunks(len(points)))
    return float(LEAST_SHARE * squares / points.size + np.finfo(np.float32).tiny)


def _covariances(
    scatters: _Scatters, counts: NDArray[np.intp], common: Floats, covariance_type: str
) -> Floats:
    if covariance_type == "tied":
        return common
    if covariance_type == "full":
        prior = common.shape[0]
        return (scatters.parts + prior * common) / (counts + prior)[:, None, None]
    diagonals = (scatters.parts + np.diag(common)) / (counts + 1)[:, None]
    return diagonals if covariance_type == "diag" else diagonals.mean(axis=1)


def evened(mixture: Mixture) -> Mixture:
    """Make a shared covariance that of new samples in the space that the means span.

    Training pulls samples toward the mean of their class, in some directions of that space more
    than in others, and new samples do not follow: a covariance of the training samples would take
    the former for certain. Posteriors become those of equally wide round Gaussians, as in training,
    and of `GENERALIZATION` times their variance. Outside of that space, which tells nothing of the
    class, the covariance stays as it is.

    Parameters
    ----------
    mixture : Mixture
        As :func:`fit_mixture` returns it. One of another covariance type is returned as it is.

    Returns
    -------
    Mixture
    """
    if mixture.covariance_type != "tied":
        return mixture
    span = _span(mixture.means[mixture.weights > 0])
    if not len(span):
        return mixture
    inside = span.T @ span
    outside = np.eye(len(inside)) - inside
    variance = GENERALIZATION * np.trace(span @ mixture.covariances @ span.T) / len(span)
    covariance = variance * inside + outside @ mixture.covariances @ outside
    return replace(mixture, covariances=(covariance + covariance.T) / 2)


def _span(means: Floats) -> Floats:
    """Return directions, as rows, of the space in which some means differ."""
    _, lengths, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    return directions[lengths > len(means) * np.finfo(np.float32).eps * np.abs(means).max()]


def temperature(mixture: Mixture, component_classes: Codes) -> float:
    """Return by what log posteriors of new samples are to be divided, so that they may be believed.

    The fewer samples a network has learned from, the closer it has pulled them to the mean of their
    class, and new samples do not follow: by the variance of the former nearly all of the latter are
    certain, right or wrong. In the space of the means the variance of new samples is taken to be at
    least `LEAST_SPREAD` of the mean squared distance between the means of two classes. A
    temperature changes no prediction, whatever the priors; by such a variance rare classes would be
    found less often.

    Parameters
    ----------
    mixture : Mixture
        The Gaussians that predict.
    component_classes : array of int of shape (n_components,)
        Class of each.

    Returns
    -------
    float
        1 where the Gaussians are as wide as that.
    """
    there = np.flatnonzero(mixture.weights > 0)
    means, classes = mixture.means[there], component_classes[there]
    span = _span(means) if len(there) else means
    foreign = classes[:, None] != classes
    if not len(span) or not foreign.any():
        return 1.0
    squares = np.square(means).sum(axis=1)
    apart = (squares[:, None] + squares - 2 * means @ means.T)[foreign].mean()
    of_each = [_variance_along(span, mixture._covariance(k)) for k in there.tolist()]
    variance = np.average(of_each, weights=mixture.weights[there])
    return float(max(1.0, LEAST_SPREAD * apart / variance))


def _variance_along(directions: Floats, covariance: Floats) -> float:
    """Return the mean variance of a Gaussian along orthogonal directions of unit length."""
    if np.ndim(covariance) == 2:
        return float(np.einsum("ij,jk,ik->", directions, covariance, directions)) / len(directions)
    return float((np.square(directions) * covariance).sum() / len(directions))


def class_joint(joint: Floats, component_classes: Codes, n_classes: int) -> Floats:
    """Return the logarithm of each class's share of the joint density.

    Parameters
    ----------
    joint : array of shape (n_points, n_components)
        From :meth:`Mixture.log_joint`.
    component_classes : array of int of shape (n_components,)
        Class of each component.
    n_classes : int
        Number of classes.

    Returns
    -------
    array of shape (n_points, n_classes)
    """
    columns = [logsumexp(joint[:, component_classes == k], axis=1) for k in range(n_classes)]
    return np.stack(columns, axis=1)


def class_posterior(joint: Floats, component_classes: Codes, n_classes: int) -> Floats:
    """Sum the posterior of the components over each class.

    Parameters
    ----------
    joint : array of shape (n_points, n_components)
        From :meth:`Mixture.log_joint`.
    component_classes : array of int of shape (n_components,)
        Class of each component.
    n_classes : int
        Number of classes.

    Returns
    -------
    array of shape (n_points, n_classes)
        Rows sum to 1.
    """
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    classes = posterior @ np.eye(n_classes)[component_classes]
    return classes / classes.sum(axis=1, keepdims=True)


def likeliest_component(joint: Floats, component_classes: Codes, codes: Codes) -> Codes:
    """Return each point's likeliest component, among those of its own class where `codes` >= 0."""
    foreign = (codes[:, None] >= 0) & (component_classes != codes[:, None])
    # A class without samples has weight 0 so far, but may still be the point's own.
    return np.where(foreign, -np.inf, joint.clip(min=np.finfo(joint.dtype).min)).argmax(axis=1)
