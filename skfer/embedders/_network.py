"""The parts of a network that the parameters of an embedder stand for."""

import copy
import math
from typing import Any

from torch import nn

from skfer.exceptions import ArgumentError, one_line
from skfer.nets import FaceAugment
from skfer.validation import shown

_FEW = 2000
_UNSETTLED = 8  # first passes that no mean is to hold: a start moves far in them


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

    Raises
    ------
    ArgumentError
        If it is a function, or a class of modules.
    """
    if callable(augment) and not isinstance(augment, nn.Module):
        raise ArgumentError(
            "{augment} must be a torch.nn.Module that takes a batch (n, channels, height, width), "
            "got {}: give an instance of a module whose forward calls it, or a transform of "
            "torchvision.transforms.v2 (those of v1 take one image).",
            one_line(shown(augment)),
        )
    if isinstance(augment, nn.Module):
        return copy.deepcopy(augment)
    return FaceAugment() if augment == "auto" and len(shape) > 1 else None


def choose_mirror(
    mirror: bool | str, augment: Any, shape: tuple[int, ...], n_samples: float
) -> bool:
    """Return whether embeddings are averaged with those of mirror images.

    Parameters
    ----------
    mirror : bool or "auto"
        The parameter.
    augment : nn.Module, "auto" or None
        The parameter of that name.
    shape : tuple of int
        Shape of one input.
    n_samples : float
        How many samples the network learns from, infinity where that is not known; the mean pays
        where they are few.
    """
    if mirror != "auto":
        return bool(mirror) and len(shape) > 1
    module = make_augment(augment, shape)
    return n_samples <= _FEW and isinstance(module, FaceAugment) and module.flip


def choose_averaging(
    average_weights: float | str, backbone: Any, weights: Any, shape: tuple[int, ...], epochs: int
) -> int:
    """Return after how many passes the weights are averaged, at most all but the last one.

    Parameters
    ----------
    average_weights : float or "auto"
        The parameter.
    backbone : str, nn.Module or callable
        The parameter of that name. A start from drawn faces is averaged; of a module it is not
        known whether it has learned.
    weights : path-like or None
        The parameter `backbone_weights`.
    shape : tuple of int
        Shape of one input.
    epochs : int
        Number of passes of the training.
    """
    last = epochs - 1
    if average_weights != "auto":
        return min(epochs - int(float(average_weights) * epochs), last)
    settled = min(max(math.ceil(epochs / 10), _UNSETTLED), last)
    return settled if starts_learned(backbone, weights, shape) else last


def starts_learned(backbone: Any, weights: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether a backbone has learned from faces before it is trained.

    Of a module, or of a function that makes one, it is not known: False.

    Parameters
    ----------
    backbone : str, nn.Module or callable
        The parameter of that name.
    weights : path-like or None
        The parameter `backbone_weights`.
    shape : tuple of int
        Shape of one input.
    """
    named = backbone if isinstance(backbone, str) else ""
    return weights is not None or (named in ("auto", "large") and len(shape) > 1)
