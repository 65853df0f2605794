"""Checks of the batches that losses are called with, and the precision losses compute in."""

import torch
from torch import Tensor


def check_points(points: Tensor, name: str, n_features: int | None = None) -> Tensor:
    """Return points (n_samples, n_features) in single precision or better."""
    if points.ndim != 2 or not points.is_floating_point():
        raise ValueError(
            f"{name} must be a floating-point tensor of shape (n_samples, n_features), got "
            f"{points.dtype} of shape {tuple(points.shape)}."
        )
    if 0 in points.shape:
        raise ValueError(
            f"{name} must have at least one sample and one feature, got shape "
            f"{tuple(points.shape)}."
        )
    if n_features is not None and points.shape[1] != n_features:
        raise ValueError(f"{name} must have {n_features} features, got {points.shape[1]}.")
    return points.float() if torch.finfo(points.dtype).bits < 32 else points


def check_labels(labels: Tensor, n_samples: int, n_classes: int | None = None) -> Tensor:
    """Return labels (n_samples,) as int64; `n_classes` requires them to be in [0, n_classes)."""
    if labels.shape != (n_samples,):
        raise ValueError(
            f"labels must be of shape ({n_samples},), one for each embedding; got "
            f"{tuple(labels.shape)}."
        )
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"labels must be integers, got {labels.dtype}.")
    labels = labels.long()
    if n_classes is not None:
        low, high = labels.min().item(), labels.max().item()
        if low < 0 or high >= n_classes:
            raise ValueError(
                f"labels must be class indices from 0 to {n_classes - 1}, got {low} to {high}."
            )
    return labels


def check_companion(values: Tensor, name: str, shape: tuple[int, ...]) -> None:
    """Check a floating-point tensor that accompanies the embeddings, such as logits."""
    if values.shape != shape or not values.is_floating_point():
        raise ValueError(
            f"{name} must be a floating-point tensor of shape {shape}, got {values.dtype} of shape "
            f"{tuple(values.shape)}."
        )
