"""Finds classes within classes: groups of samples without labels of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfer._typing import NDArray
from skfer.embedders.gaussian._mixture import Codes, Components, Floats, least_variance
from skfer.exceptions import ignored

LEAST_DISTANCE = 2.4
"""In standard deviations. Two equal Gaussians have two modes from a distance of 2 on."""
LEAST_DISTANCE_INSIDE = 3.2
"""The same within a group that the network was trained to tell apart. Such a group is no Gaussian,
and may fall into two that lie 3 standard deviations apart without any meaning."""
LEAST_EVIDENCE = 10.0
"""Difference in the Bayesian information criterion: very strong evidence, by Kass and Raftery
("Bayes Factors", 1995). Of sets drawn from one Gaussian, one in a hundred gains anything by two
parts that lie apart, and none of 700 gained as much as this."""
LEAST_PART = 0.5
"""The share of its class that a group has at least, in units of an equal share."""
SAMPLES_PER_SUBCLASS = 10
"""A class may have one sub-class for every ten of its samples."""
START_DIMENSIONS, TRAINED_DIMENSIONS = 8, 4
"""Principal components of a class in which it is looked at, in a start and in an embedding."""
N_STARTS = 5
MAX_STEPS = 200


@dataclass(frozen=True)
class SubclassFinder:
    """Splits classes into sub-classes, where the data speak for more than one.

    The points of a class are projected to their principal components. There, mixtures of
    Gaussians are compared; see :func:`_choose`.

    Attributes
    ----------
    max_subclasses : int
        Most sub-classes of a class; it has at most one for every ten of its points.
    n_dimensions : int, default=4
        Number of principal components.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="tied"
        Covariance of the mixtures that are compared.
    """

    max_subclasses: int
    n_dimensions: int = 4
    covariance_type: str = "tied"

    def find(
        self,
        points: NDArray[np.floating],
        codes: Codes,
        random_state: np.random.RandomState,
        n_present: Codes | None = None,
    ) -> Components:
        """Find the sub-classes of all classes.

        Parameters
        ----------
        points : array of shape (n_points, n_features)
            Where the points are.
        codes : array of int of shape (n_points,)
            Class of each point, -1 where it is unknown.
        random_state : RandomState
            Draws the starts of the mixtures.
        n_present : array of int of shape (n_classes,), optional
            How many sub-classes of each class the network was trained on; 1 by default. A class
            without points has one sub-class, which is empty.

        Returns
        -------
        Components
            The sub-class of each point, numbered over all classes in their order, or -1 where the
            class is unknown; and the class of each sub-class.
        """
        if n_present is None:
            n_present = np.ones(codes.max() + 1, dtype=np.intp)

        def split(code: int, members: Codes) -> Codes:
            return self._split_class(points[members], int(n_present[code]), random_state)

        return _class_by_class(codes, len(n_present), split)

    def find_in_start(
        self,
        features: NDArray[np.floating],
        codes: Codes,
        random_state: np.random.RandomState,
    ) -> Components:
        """Find the sub-classes of all classes in what a network knew before it was trained.

        Unlike an embedding that was trained to bring a class together, the features of a start
        that knows faces still show what differs inside. So a class is split in two, where the data
        speak for it, and each half is looked at as a class is, in principal components of its own.

        Parameters
        ----------
        features : array of shape (n_points, n_features)
            Of the untrained network, each in units of its spread.
        codes, random_state
            As in :meth:`find`.

        Returns
        -------
        Components
            As from :meth:`find`.
        """

        def split(_: int, members: Codes) -> Codes:
            fit = _Fitter(self.covariance_type, random_state.randint(2**31 - 1))
            return self._halve(features[members], fit)

        return _class_by_class(codes, codes.max() + 1, split)

    def _halve(self, features: NDArray[np.floating], fit: "_Fitter") -> Codes:
        """Split a class in two again and again, as long as the criterion clearly prefers two."""
        groups = np.zeros(len(features), dtype=np.intp)
        waiting = [0]
        while waiting and groups.max(initial=0) + 1 < self.max_subclasses:
            k = waiting.pop(0)
            members = np.flatnonzero(groups == k)
            if _limit(features[members], 2) < 2:
                continue
            halves = _split(_project(features[members], self.n_dimensions), 2, fit)
            if halves.any():
                groups[members[halves == 1]] = groups.max() + 1
                waiting += [k, int(groups.max())]
        return groups

    def _split_class(
        self, points: NDArray[np.floating], n_present: int, random_state: np.random.RandomState
    ) -> Codes:
        limit = _limit(points, self.max_subclasses)
        if limit == 1:
            return np.zeros(len(points), dtype=np.intp)
        fit = _Fitter(self.covariance_type, random_state.randint(2**31 - 1))
        return _choose(_project(points, self.n_dimensions), limit, n_present, fit)


def _class_by_class(
    codes: Codes, n_classes: int, split: Callable[[int, Codes], Codes]
) -> Components:
    """Return the groups that `split` makes of each class, numbered over all classes."""
    labels = np.full(len(codes), -1, dtype=np.intp)
    component_classes: list[int] = []
    for code in range(n_classes):
        members = np.flatnonzero(codes == code)
        groups = split(code, members)
        labels[members] = len(component_classes) + groups
        component_classes += [code] * (int(groups.max(initial=0)) + 1)
    return Components(labels, np.array(component_classes, dtype=np.intp))


def keep_labeled(components: Components, codes: Codes) -> Components:
    """Drop components that no labeled point is in, and the labels of unlabeled points.

    Unlabeled points help to find the components; they get pseudo-labels before every epoch. A class
    without a labeled point keeps its first component, which is empty then.

    Parameters
    ----------
    components : Components
        From :meth:`SubclassFinder.find`.
    codes : array of int of shape (n_points,)
        Class of each point, -1 for unlabeled ones.

    Returns
    -------
    Components
        The components that remain; the labels of unlabeled points are -1.
    """
    labels, classes = components
    is_labeled = codes >= 0
    kept = np.bincount(labels[is_labeled], minlength=len(classes)) > 0
    _, firsts = np.unique(classes, return_index=True)
    kept[[k for k in firsts if not kept[classes == classes[k]].any()]] = True
    new_labels = np.cumsum(kept) - 1
    return Components(np.where(is_labeled, new_labels[labels], -1), classes[kept])


def _limit(points: NDArray[np.floating], max_subclasses: int) -> int:
    limit = min(max_subclasses, len(points) // SAMPLES_PER_SUBCLASS)
    return min(limit, len(np.unique(points, axis=0))) if limit > 1 else 1


def _project(points: NDArray[np.floating], n_dimensions: int) -> Floats:
    """Return the first principal components."""
    centered = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    left, scales, _ = np.linalg.svd(centered, full_matrices=False)
    return (left * scales)[:, :n_dimensions]


def _choose(points: Floats, limit: int, n_present: int, fit: "_Fitter") -> Codes:
    """Return the group of each point of one class; groups without points are left out.

    A class that is whole is split into as few groups as the data speak for. One that is split
    becomes whole again if the criterion no longer prefers as many groups to one; otherwise each of
    its groups is examined as a class is, and the one that falls into two most clearly is split. It
    would not do to compare numbers of groups over the whole class: the network makes clusters of
    what it is trained to tell apart, and these are no Gaussians, so that more groups always fit
    better.
    """
    if n_present == 1:
        return _split(points, limit, fit)
    mixture = fit(points, min(n_present, limit))
    if _evidence(points, mixture, fit) <= LEAST_EVIDENCE:
        return np.zeros(len(points), dtype=np.intp)
    groups = _renumbered(mixture.predict(points))
    return groups if groups.max() + 1 >= limit else _grow(points, groups, fit)


def _split(points: Floats, limit: int, fit: "_Fitter") -> Codes:
    """Return the smallest number of groups that the criterion clearly prefers to one."""
    for k in range(2, limit + 1):
        mixture = fit(points, k)
        if _evidence(points, mixture, fit) > LEAST_EVIDENCE and _are_apart(mixture):
            return _renumbered(mixture.predict(points))
    return np.zeros(len(points), dtype=np.intp)


def _grow(points: Floats, groups: Codes, fit: "_Fitter") -> Codes:
    """Split the group that falls into two most clearly, if there is one."""
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


def _evidence(points: Floats, mixture: Any, fit: "_Fitter") -> float:
    """Return by how much the Bayesian information criterion prefers a mixture to one Gaussian."""
    return fit(points, 1).bic(points) - mixture.bic(points)


@dataclass(frozen=True)
class _Fitter:
    """Fits scikit-learn's mixtures of one kind."""

    covariance_type: str
    seed: int

    def __call__(self, points: Floats, n_components: int) -> Any:
        # Its import takes longer than that of all embedders, most of which never split a class.
        from sklearn.mixture import GaussianMixture

        mixture = GaussianMixture(
            n_components,
            covariance_type=self.covariance_type,
            reg_covar=least_variance(points),
            n_init=1 if n_components == 1 else N_STARTS,
            max_iter=MAX_STEPS,
            random_state=self.seed,
        )
        with ignored(ConvergenceWarning):  # after so many steps, another one would change little
            return mixture.fit(points)


def _are_apart(mixture: Any, least: float = LEAST_DISTANCE) -> bool:
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


def _matrices(mixture: Any) -> list[Floats]:
    """Return the covariance matrix of every Gaussian, whatever the type."""
    k, d = mixture.means_.shape
    covariances = mixture.covariances_
    if mixture.covariance_type == "tied":
        return [covariances] * k
    if mixture.covariance_type == "full":
        return list(covariances)
    return [np.eye(d) * variances for variances in covariances]
