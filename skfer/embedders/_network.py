"""Makes the network that an embedder trains, and runs a trained one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from skfer.nets import Embedded, EmbeddingNet, FaceAugment, feature_shape, make_backbone
from skfer.training import RowSource, autocast


def make_network(model: Any) -> EmbeddingNet:
    """Return a fresh network by an embedder's parameters, once its input and classes are known."""
    shape = model.input_shape_
    if len(shape) > 1:
        shape = (shape[2] if len(shape) == 3 else 1, *shape[:2])
    backbone = make_backbone(model.backbone, shape, model.backbone_weights)
    features = feature_shape(backbone, shape)
    network = EmbeddingNet(
        backbone,
        features,
        model.embedding_dim,
        n_classes=len(model.classes_) if model._has_classifier() else None,
        attention=model._attention(features),
        augment=make_augment(model),
        standardize_embedding=model.standardize_embedding,
    )
    # Convolutions on the CPU are a third faster with channels last.
    if len(shape) == 3:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def make_augment(model: Any) -> nn.Module | None:
    """Return what an embedder's ``augment`` stands for, a module of its own."""
    if isinstance(model.augment, nn.Module):
        return copy.deepcopy(model.augment)
    return FaceAugment() if model.augment == "auto" and len(model.input_shape_) > 1 else None


def run_network(
    network: nn.Module, source: Any, device: torch.device, precision: str
) -> Iterator[tuple[slice, Embedded]]:
    """Run a network over a source in batches of one size, in inference mode.

    Parameters
    ----------
    network : EmbeddingNet
        It is moved to `device`.
    source : ImageSource or RowSource
        The inputs.
    device : torch.device
        Where to run.
    precision : {"float32", "bfloat16"}
        Arithmetic of the layers.

    Yields
    ------
    rows : slice
        Which samples.
    output : Embedded
        What the network says of them.
    """
    network = network.to(device).eval()
    size = 512 if device.type == "cuda" or isinstance(source, RowSource) else 64
    for start in range(0, len(source), size):
        rows = slice(start, min(start + size, len(source)))
        batch = _pad(source[rows], size)
        with torch.inference_mode(), autocast(device, precision):
            output = network(batch.to(device, non_blocking=True))
        n = rows.stop - rows.start
        yield rows, Embedded._make(None if t is None else t[:n] for t in output)


def _pad(batch: Tensor, size: int) -> Tensor:
    if len(batch) == size:
        return batch
    padded = batch.new_zeros(size, *batch.shape[1:])
    padded[: len(batch)] = batch
    return padded
