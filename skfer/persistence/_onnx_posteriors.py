"""Posteriors made from decisions: Platt scaling with pairwise coupling, and calibration."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skfer.exceptions import ignored

_SURE = 1e-7  # libsvm keeps the probability of a class over another so far from 0 and 1
_TINY = 1e-12  # is added by scikit-learn before it takes the logarithm of a posterior


def pair_probabilities(
    decisions: Tensor, slope: Tensor, offset: Tensor, first: Tensor, second: Tensor
) -> Tensor:
    """Return how likely each class is beside each other, by Platt scaling.

    Parameters
    ----------
    decisions : Tensor of shape (n, n_pairs)
        Above 0 for the first class of a pair.
    slope, offset : Tensor of shape (n_pairs,)
        What was learned.
    first, second : Tensor of shape (n_pairs, n_classes)
        The classes of each pair, one-hot.

    Returns
    -------
    Tensor of shape (n, n_classes, n_classes)
        0 on the diagonal.
    """
    n_classes = first.shape[1]
    ahead = (-(decisions * slope + offset)).sigmoid().clamp(_SURE, 1 - _SURE)
    above = (first[:, :, None] * second[:, None]).reshape(len(first), -1)
    below = (second[:, :, None] * first[:, None]).reshape(len(first), -1)
    return (ahead @ above + (1 - ahead) @ below).reshape(-1, n_classes, n_classes)


def make_coupling() -> Callable[[Tensor], Tensor]:
    """Return what makes posteriors of probabilities of pairs, with a loop that a graph can hold."""
    with ignored(DeprecationWarning):  # the exporter knows no other loops
        return torch.jit.script(_couple)


def _couple(ahead: Tensor) -> Tensor:
    """Return posteriors of probabilities (n, k, k) of a class beside another.

    This is the second method of T.-F. Wu, C.-J. Lin and R. C. Weng, "Probability estimates for
    multi-class classification by pairwise coupling", JMLR 5, 2004, Algorithm 2: p is improved class
    by class until p'Qp hardly changes. It ends where libsvm ends, far from the limit: so each row
    has to take exactly as many turns as it takes there.
    """
    n_classes = ahead.shape[1]
    squares = (ahead * ahead).sum(1)
    unit = torch.eye(n_classes, dtype=ahead.dtype)
    q = squares.unsqueeze(2) * unit - ahead * ahead.transpose(1, 2)
    p = torch.ones_like(squares) / n_classes
    is_open = torch.ones_like(p[:, :1]) > 0
    turn = 0
    while turn < max(100, n_classes) and bool(is_open.any()):
        qp = (q * p.unsqueeze(1)).sum(2)
        pqp = (p * qp).sum(1, keepdim=True)
        is_open = (qp - pqp).abs().amax(1, keepdim=True) >= 0.005 / n_classes
        better = p
        for t in range(n_classes):
            own = q[:, t, t].unsqueeze(1)
            step = (pqp - qp[:, t].unsqueeze(1)) / own
            better = (better + step * unit[t]) / (1 + step)
            gain = step * (step * own + 2 * qp[:, t].unsqueeze(1))
            pqp = (pqp + gain) / ((1 + step) * (1 + step))
            qp = (qp + step * q[:, t]) / (1 + step)
        p = torch.where(is_open, better, p)
        turn += 1
    return p


def calibrate(
    method: str, curves: Sequence[Any], scores: Tensor, columns: Sequence[int], n_classes: int
) -> Tensor:
    """Return the posterior that scikit-learn's calibration makes of a classifier's scores.

    Parameters
    ----------
    method : {"sigmoid", "isotonic", "temperature"}
        How it was calibrated.
    curves : sequence of estimator
        Scikit-learn's fitted calibrators.
    scores : Tensor of shape (n, n_scores)
        Decisions, of two classes one; of temperatures logits.
    columns : sequence of int
        Which class each curve is of.
    n_classes : int
        How many there are.
    """
    if method == "temperature":
        return (float(curves[0].beta_) * scores).softmax(1)
    one = _sigmoid if method == "sigmoid" else _isotonic
    if n_classes == 2:
        upper = one(curves[0], scores[:, 0])
        return torch.stack([1 - upper, upper], dim=1)
    shares = [torch.zeros_like(scores[:, 0])] * n_classes
    for column, curve, score in zip(columns, curves, scores.unbind(1), strict=False):
        shares[column] = one(curve, score)
    shared = torch.stack(shares, dim=1)
    total = shared.sum(1, keepdim=True)
    uniform = torch.full_like(shared, 1 / n_classes)
    return torch.where(total == 0, uniform, shared / torch.where(total == 0, 1.0, total))


def logits_of(scores: Tensor, are_posteriors: bool) -> Tensor:
    """Return what temperatures scale: logarithms of posteriors, or the decisions of all classes."""
    if are_posteriors:
        both = torch.cat([1 - scores, scores], dim=1) if scores.shape[1] == 1 else scores
        return (both + _TINY).log()
    return torch.cat([-scores, scores], dim=1) if scores.shape[1] == 1 else scores


def _sigmoid(curve: Any, score: Tensor) -> Tensor:
    return (-(float(curve.a_) * score + float(curve.b_))).sigmoid()


def _isotonic(curve: Any, score: Tensor) -> Tensor:
    """Return the height of a line through points, level beyond its ends."""
    at, height = (
        torch.from_numpy(np.asarray(values, np.float64))
        for values in (curve.X_thresholds_, curve.y_thresholds_)
    )
    if len(at) == 1:
        return height.expand_as(score)
    score = score.clamp(float(at[0]), float(at[-1]))
    right = (score[:, None] > at[1:-1]).sum(1) + 1
    share = (score - at[right - 1]) / (at[right] - at[right - 1])
    return height[right - 1] + share * (height[right] - height[right - 1])
