"""The parts of a network that the parameters of an embedder stand for."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from skfer.nets import EmbeddingNet, FaceAugment


def channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one input as the backbone gets it.

    Parameters
    ----------
    shape : tuple of int
        (height, width), (height, width, channels) or (n_features,).

    Returns
    -------
    tuple of int
        (channels, height, width) or (n_features,).
    """
    if len(shape) == 1:
        return shape
    return (shape[2] if len(shape) == 3 else 1, *shape[:2])


def make_augment(augment: Any, shape: tuple[int, ...]) -> nn.Module | None:
    """Return a module of its own for an ``augment`` parameter, or None for no augmentation.

    Parameters
    ----------
    augment : nn.Module, "auto" or None
        The parameter.
    shape : tuple of int
        Shape of one input.
    """
    if isinstance(augment, nn.Module):
        return copy.deepcopy(augment)
    return FaceAugment() if augment == "auto" and len(shape) > 1 else None


def speed_up(network: EmbeddingNet, shape: tuple[int, ...]) -> EmbeddingNet:
    """Return a network for inputs of a shape, in the memory format in which it is faster."""
    # Convolutions on the CPU are a third faster with channels last.
    if len(shape) > 1:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
