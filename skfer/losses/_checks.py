"""Checks of the batches that losses are called with, and the precision losses compute in."""

from typing import Any

import torch
from torch import Tensor

from skfer._asking import may_ask
from skfer.exceptions import ArgumentError
from skfer.validation import refusal, shown

_ROUNDING = 0.01
"""How far the sum of shares may be from 1, of which some are kept in half precision."""


def check_points(points: Tensor, name: str, n_features: int | None = None) -> Tensor:
    """Return points (n_samples, n_features) in single precision or better."""
    if not isinstance(points, Tensor) or points.ndim != 2 or not points.is_floating_point():
        raise refusal(
            name,
            "must be a floating-point tensor of shape (n_samples, n_features), got {}.",
            shown_tensor(points),
        )
    if 0 in points.shape:
        raise refusal(
            name,
            "must have at least one sample and one feature, got shape {}.",
            tuple(points.shape),
        )
    if n_features is not None and points.shape[1] != n_features:
        raise refusal(name, "must have {} features, got {}.", n_features, points.shape[1])
    return single_at_least(points)


def single_at_least(points: Tensor) -> Tensor:
    """Return floating-point numbers in single precision or better."""
    return points.float() if torch.finfo(points.dtype).bits < 32 else points


def check_labels(labels: Tensor, n_samples: int, n_classes: int | None = None) -> Tensor:
    """Return labels (n_samples,) as int64; `n_classes` requires them to be in [0, n_classes)."""
    if not isinstance(labels, Tensor) or labels.shape != (n_samples,):
        raise ArgumentError(
            "{labels} must be a tensor of shape ({},), one for each embedding; got {}.",
            n_samples,
            shown_tensor(labels),
        )
    return check_indices(labels, "labels", n_classes, "class indices")


def refuse_soft_labels(labels: Any) -> None:
    """Raise if labels are a table of targets, for a loss that takes those beside labels."""
    if isinstance(labels, Tensor) and labels.ndim == 2 and labels.is_floating_point():
        raise ArgumentError(
            "{labels} must be one class for each embedding, got {}. Soft targets are given as "
            "{targets}, beside the labels.",
            shown_tensor(labels),
        )


def check_indices(indices: Tensor, name: str, n: int | None, what: str) -> Tensor:
    """Return integers as int64; with `n` they have to be from 0 to n - 1."""
    if indices.is_floating_point() or indices.is_complex():
        raise refusal(name, "must be integers, got {}.", indices.dtype)
    indices = indices.long()
    if n is not None and may_ask():
        low, high = indices.min().item(), indices.max().item()
        if low < 0 or high >= n:
            raise refusal(name, "must be {} from 0 to {}, got {} to {}.", what, n - 1, low, high)
    return indices


def check_companion(values: Tensor, name: str, shape: tuple[int, ...]) -> None:
    """Check a floating-point tensor that accompanies the embeddings, such as logits."""
    fits = isinstance(values, Tensor) and values.shape == shape and values.is_floating_point()
    if not fits:
        raise refusal(
            name,
            "must be a floating-point tensor of shape {}, got {}.",
            shape,
            shown_tensor(values),
        )


_SLACK = 1e-6
"""How far a share may be beyond its bound by rounding."""


def check_shares(shares: Tensor, name: str) -> None:
    """Check, on a CPU, rows of shares: each sums to 1, or to 0 for a sample without a label."""
    if not _may_look(shares):
        return
    sums = shares.sum(1)
    if bool(((shares >= 0).all(1) & ((sums - 1).abs().minimum(sums.abs()) < _ROUNDING)).all()):
        return
    raise refusal(
        name,
        "must be shares, >= 0, that sum to 1 in each row, or to 0 where a sample has no label; got "
        "values from {} to {} and sums from {} to {}. Divide counts by their sum.",
        *(*_ends(shares), *_ends(sums)),
    )


def check_range(values: Tensor, name: str, high: float | None = None) -> None:
    """Check, on a CPU, that numbers are finite, at least 0, and at most `high` if it is given."""
    if not _may_look(values):
        return
    most = torch.finfo(values.dtype).max if high is None else high + _SLACK
    if bool(((values >= 0) & (values <= most)).all()):
        return
    expected = "finite numbers >= 0" if high is None else f"from 0 to {high}"
    raise refusal(name, "must be {}, got values from {} to {}.", expected, *_ends(values))


def shown_tensor(value: Any) -> str:
    """Return what was given, in a form that fits into a message."""
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return shown(value)


def _may_look(values: Tensor) -> bool:
    """Whether values may be looked at; a look at a GPU's would have it wait."""
    return values.device.type == "cpu" and values.numel() > 0 and may_ask()


def _ends(values: Tensor) -> list[float]:
    """Return the least and the largest value, for a message; NaN if there is one."""
    return [round(end.item(), 4) for end in values.detach().aminmax()]
