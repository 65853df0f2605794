"""Checks of the batches that losses are called with, and the precision losses compute in."""

from typing import Any

import torch
from torch import Tensor

from skfer._asking import may_ask
from skfer.exceptions import ArgumentError
from skfer.validation import refusal, shown


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


def shown_tensor(value: Any) -> str:
    """Return what was given, in a form that fits into a message."""
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return shown(value)
