"""Steps of scikit-learn after an embedder as torch modules, in double precision."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    RidgeClassifier,
    RidgeClassifierCV,
)
from sklearn.neighbors import (
    KNeighborsClassifier,
    NearestCentroid,
    NeighborhoodComponentsAnalysis,
)
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
    normalize,
)
from sklearn.svm import SVC, LinearSVC, NuSVC
from torch import Tensor, nn

from skfer._typing import ArrayLike
from skfer.embedders import LabeledOnly
from skfer.exceptions import ArgumentError
from skfer.persistence._onnx_posteriors import (
    calibrate,
    logits_of,
    make_coupling,
    pair_probabilities,
)

Scores = tuple[Tensor, Tensor | None, Tensor | None]
"""Codes of the labels; the posterior; what a decision function says; None for what is not there."""

_KERNELS: dict[str, Callable[[Any, Tensor, Tensor], Tensor]] = {
    "linear": lambda svm, x, sv: x @ sv.T,
    "rbf": lambda svm, x, sv: (-svm._gamma * squared_distances(x, sv)).exp(),
    "poly": lambda svm, x, sv: (svm._gamma * (x @ sv.T) + svm.coef0) ** svm.degree,
    "sigmoid": lambda svm, x, sv: (svm._gamma * (x @ sv.T) + svm.coef0).tanh(),
}
# Weights by cosine distances, which are small, would be of what float32 has rounded.
_NEIGHBORS = (("euclidean", "uniform"), ("euclidean", "distance"), ("cosine", "uniform"))


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return the squared Euclidean distances of all rows from all others."""
    both = x.square().sum(1)[:, None] + y.square().sum(1)[None]
    return (both - 2 * (x @ y.T)).clamp_min(0)


class Step(nn.Module):
    """What a step computes, with its numbers as buffers.

    Parameters
    ----------
    function : callable
        Takes rows and `numbers`.
    numbers : array-like
        Floats become double, integers stay.
    """

    def __init__(self, function: Callable[..., Any], *numbers: ArrayLike) -> None:
        super().__init__()
        self.function = function
        self.n_numbers = len(numbers)
        for i, value in enumerate(numbers):
            array = np.asarray(value)
            array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
            self.register_buffer(f"number{i}", torch.from_numpy(array))

    def forward(self, x: Tensor) -> Any:
        """Compute it of rows (n, n_features)."""
        return self.function(x, *(getattr(self, f"number{i}") for i in range(self.n_numbers)))


def transformer_module(step: Any) -> nn.Module:
    """Return a module that transforms rows as a fitted step does.

    Raises
    ------
    ArgumentError
        If it is not known how.
    """
    for kinds, make in _TRANSFORMERS.items():
        if type(step) is kinds:
            return make(step)
    raise _unknown(step, _TRANSFORMERS)


def classifier_module(step: Any) -> nn.Module:
    """Return a module from rows to `Scores` for a fitted classifier.

    Raises
    ------
    ArgumentError
        If it is not known how.
    """
    for kinds, make in _CLASSIFIERS.items():
        if type(step) is kinds:
            return make(step)
    raise _unknown(step, _CLASSIFIERS)


def _unknown(step: Any, known: dict[type, Any]) -> ArgumentError:
    names = ", ".join(kind.__name__ for kind in known)
    return ArgumentError(
        "{model}: {} cannot be exported: there are {}.", type(step).__name__, names
    )


def _refused(step: Any, remedy: str) -> ArgumentError:
    """Return the error of a step that is known, but not with its parameters."""
    return ArgumentError(
        "{model}: {} cannot be exported: {}.", " ".join(repr(step).split()), remedy
    )


def _scaler(step: StandardScaler) -> nn.Module:
    return _affine(step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None)


def _robust(step: RobustScaler) -> nn.Module:
    return _affine(
        step.center_ if step.with_centering else None, step.scale_ if step.with_scaling else None
    )


def _affine(center: np.ndarray | None, scale: np.ndarray | None) -> nn.Module:
    numbers = (0.0 if center is None else center, 1.0 if scale is None else scale)
    return Step(lambda x, mean, scale: (x - mean) / scale, *numbers)


def _maxabs(step: MaxAbsScaler) -> nn.Module:
    clips = getattr(step, "clip", False)  # of scikit-learn 1.9 and later

    def scaled(x: Tensor, scale: Tensor) -> Tensor:
        y = x / scale
        return y.clamp(-1, 1) if clips else y

    return Step(scaled, step.scale_)


def _minmax(step: MinMaxScaler) -> nn.Module:
    low, high = step.feature_range

    def scaled(x: Tensor, scale: Tensor, least: Tensor) -> Tensor:
        y = x * scale + least
        return y.clamp(low, high) if step.clip else y

    return Step(scaled, step.scale_, step.min_)


def _normalizer(step: Normalizer) -> nn.Module:
    order = {"l1": 1.0, "l2": 2.0, "max": float("inf")}[step.norm]

    return Step(lambda x: _unit(x, order))


def _unit(x: Tensor, order: float = 2.0) -> Tensor:
    length = torch.linalg.vector_norm(x, order, dim=1, keepdim=True)
    return x / torch.where(length == 0, torch.ones_like(length), length)


def _pca(step: PCA) -> nn.Module:
    axes = step.components_.T
    if step.whiten:
        least = np.finfo(step.explained_variance_.dtype).eps
        axes = axes / np.sqrt(np.maximum(step.explained_variance_, least))
    return Step(lambda x, mean, axes: (x - mean) @ axes, step.mean_, axes)


def _onto_axes(step: TruncatedSVD | NeighborhoodComponentsAnalysis) -> nn.Module:
    return Step(lambda x, axes: x @ axes, step.components_.T)


def _lda(step: LinearDiscriminantAnalysis) -> nn.Module:
    if not hasattr(step, "scalings_"):
        raise ArgumentError("{model}: LinearDiscriminantAnalysis(solver='lsqr') only predicts.")
    axes = step.scalings_[:, : step._max_components]
    mean = getattr(step, "xbar_", np.zeros(len(axes)))
    return Step(lambda x, mean, axes: (x - mean) @ axes, mean, axes)


_TRANSFORMERS: dict[type, Callable[[Any], nn.Module]] = {
    LinearDiscriminantAnalysis: _lda,
    MaxAbsScaler: _maxabs,
    MinMaxScaler: _minmax,
    NeighborhoodComponentsAnalysis: _onto_axes,
    Normalizer: _normalizer,
    PCA: _pca,
    RobustScaler: _robust,
    StandardScaler: _scaler,
    TruncatedSVD: _onto_axes,
}


def _linear_decision(step: Any) -> nn.Module:
    def decide(x: Tensor, axes: Tensor, offset: Tensor) -> Scores:
        scores = x @ axes + offset
        best = (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(1)
        return best, None, scores

    return Step(decide, np.atleast_2d(step.coef_).T, np.ravel(step.intercept_))


def _linear_posterior(step: Any) -> nn.Module:
    decision = _linear_decision(step)

    def posterior(x: Tensor) -> Scores:
        best, _, scores = decision(x)
        both = scores
        if scores.shape[1] == 1:
            both = torch.cat([torch.zeros_like(scores), scores], dim=1)
        return best, both.softmax(1), scores

    return _composed(posterior, decision)


def _neighbors(step: KNeighborsClassifier) -> nn.Module:
    if (step.effective_metric_, step.weights) not in _NEIGHBORS:
        raise _refused(
            step,
            "give Euclidean distances (metric='euclidean') and weights='uniform' or 'distance', or "
            "metric='cosine' and weights='uniform'",
        )
    if step.outputs_2d_:
        raise ArgumentError("{model}: neighbors are exported with one output.")
    by_angle, uniform = step.effective_metric_ == "cosine", step.weights == "uniform"

    def posterior(x: Tensor, points: Tensor, member: Tensor) -> Scores:
        apart = -(_unit(x) @ points.T) if by_angle else squared_distances(x, points)
        least, nearest = apart.topk(step.n_neighbors, 1, largest=False)
        weights = torch.ones_like(least)
        if not uniform:
            # A point at no distance outweighs all others.
            weights = least.clamp_min(1e-24).rsqrt()
        votes = (member[nearest] * weights[..., None]).sum(1)
        shares = votes / votes.sum(1, keepdim=True)
        return shares.argmax(1), shares, None

    points = normalize(step._fit_X) if by_angle else step._fit_X
    return Step(posterior, points, np.eye(len(step.classes_))[step._y])


def _centroids(step: NearestCentroid) -> nn.Module:
    if step.metric != "euclidean":
        raise _refused(step, "give metric='euclidean'")
    even = True
    deviation, log_prior = np.ones(step.centroids_.shape[1]), np.zeros(len(step.classes_))
    if hasattr(step, "class_prior_"):  # of scikit-learn 1.6 and later
        even = bool(np.isclose(step.class_prior_, 1 / len(step.classes_)).all())
        deviation = np.where(step.within_class_std_dev_ == 0, 1, step.within_class_std_dev_)
        log_prior = 2 * np.log(step.class_prior_)
    answers = hasattr(step, "predict_proba")

    def posterior(x: Tensor, centers: Tensor, deviation: Tensor, log_prior: Tensor) -> Scores:
        near = -squared_distances(x, centers)
        scores = log_prior - squared_distances(x / deviation, centers / deviation)
        best = (near if even else scores).argmax(1)
        return (best, scores.softmax(1), scores) if answers else (best, None, near)

    return Step(posterior, step.centroids_, deviation, log_prior)


def _svm(step: SVC | NuSVC) -> nn.Module:
    if step.kernel not in _KERNELS:
        raise _refused(step, f"give one of the kernels {[*_KERNELS]}")
    weights, first, second = _pairs_of(step)
    has_posterior = hasattr(step, "predict_proba") and step._probA.size
    scaling = (step._probA, step._probB) if has_posterior else ()
    couple = make_coupling() if has_posterior else None

    def decide(x: Tensor, *numbers: Tensor) -> Scores:
        vectors, weights, offset, first, second, *scaling = numbers
        pairs = _KERNELS[step.kernel](step, x, vectors) @ weights.T + offset
        posterior = None
        if couple is not None:
            slope, shift = scaling
            posterior = couple(pair_probabilities(pairs, slope, shift, first, second))
        wins = (pairs > 0).double()
        votes = wins @ first + (1 - wins) @ second
        if len(step.classes_) == 2:
            return votes.argmax(1), posterior, -pairs
        sure = pairs @ (first - second)
        scores = votes + sure / (3 * (sure.abs() + 1))
        best = scores.argmax(1) if step.break_ties else votes.argmax(1)
        return best, posterior, scores if step.decision_function_shape == "ovr" else pairs

    numbers = (step.support_vectors_, weights, step._intercept_, first, second, *scaling)
    return Step(decide, *numbers)


def _pairs_of(step: SVC | NuSVC) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the weights of support vectors for each pair of classes, and who the pairs are."""
    ends = np.r_[0, np.cumsum(step.n_support_)]
    n_classes, dual = len(step.classes_), np.asarray(step._dual_coef_)
    pairs = [(i, j) for i in range(n_classes) for j in range(i + 1, n_classes)]
    weights = np.zeros((len(pairs), dual.shape[1]))
    for row, (i, j) in zip(weights, pairs, strict=True):
        row[ends[i] : ends[i + 1]] = dual[j - 1, ends[i] : ends[i + 1]]
        row[ends[j] : ends[j + 1]] = dual[i, ends[j] : ends[j + 1]]
    first, second = (np.eye(n_classes)[list(side)] for side in zip(*pairs, strict=True))
    return weights, first, second


def _calibrated(step: CalibratedClassifierCV) -> nn.Module:
    fits = step.calibrated_classifiers_
    modules = [classifier_module(fit.estimator) for fit in fits]
    n_classes = len(step.classes_)

    def posterior(x: Tensor) -> Scores:
        each = [
            calibrate(
                fit.method,
                fit.calibrators,
                _calibrated_scores(fit, module(x)),
                np.searchsorted(step.classes_, fit.estimator.classes_).tolist(),
                n_classes,
            )
            for fit, module in zip(fits, modules, strict=True)
        ]
        mean = torch.stack(each).mean(0)
        return mean.argmax(1), mean, None

    return _composed(posterior, *modules)


def _calibrated_scores(fit: Any, scores: Scores) -> Tensor:
    """Return what the calibrators of a classifier take: its decisions, or else its posterior."""
    _, posterior, decision = scores
    kept = posterior if decision is None else decision
    assert kept is not None
    if len(fit.estimator.classes_) == 2 and kept.shape[1] == 2:
        kept = kept[:, 1:] if decision is None else kept[:, 1:] - kept[:, :1]
    return logits_of(kept, decision is None) if fit.method == "temperature" else kept


def _composed(function: Callable[[Tensor], Scores], *modules: nn.Module) -> nn.Module:
    """Return a step that calls others, whose numbers go with it."""
    step = Step(function)
    for i, module in enumerate(modules):
        step.add_module(f"module{i}", module)
    return step


_CLASSIFIERS: dict[type, Callable[[Any], nn.Module]] = {
    CalibratedClassifierCV: _calibrated,
    FrozenEstimator: lambda step: classifier_module(step.estimator),
    KNeighborsClassifier: _neighbors,
    LabeledOnly: lambda step: classifier_module(step.estimator_),
    LinearDiscriminantAnalysis: _linear_posterior,
    LinearSVC: _linear_decision,
    LogisticRegression: _linear_posterior,
    LogisticRegressionCV: _linear_posterior,
    NearestCentroid: _centroids,
    NuSVC: _svm,
    RidgeClassifier: _linear_decision,
    RidgeClassifierCV: _linear_decision,
    SVC: _svm,
}
