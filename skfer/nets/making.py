"""Makes the backbone that an embedder asks for, and tries it out."""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skfer.exceptions import ArgumentError, shorten
from skfer.nets._checks import check_input_shape, check_module
from skfer.nets.backbones import MLP, CompactResNet, check_sides
from skfer.nets.embedding import laid_out, set_layout, standardize_images
from skfer.nets.start import read_backbone
from skfer.nets.timm_backbone import TimmBackbone
from skfer.validation import shown

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
"""What features may be of: a network may compute in half precision by itself."""
_N_TRIED = 2
"""Inputs of a trial, so that it is seen whether there are features for each."""


def make_backbone(
    backbone: str | nn.Module | Callable[[tuple[int, ...]], nn.Module],
    input_shape: tuple[int, ...],
    weights: str | Path | None = None,
) -> nn.Module:
    """Make the network that a ``backbone`` parameter describes.

    Parameters
    ----------
    backbone : "auto", "large", "scratch", "timm/NAME", nn.Module or callable
        "auto" is :func:`face_backbone`, which has learned from drawn faces, for images and an
        :class:`MLP` for rows. "large" is the larger of its two sizes. "scratch" starts images from
        noise too, as a :class:`CompactResNet`. A module is copied with its weights. A callable
        takes `input_shape` and returns a module.
    input_shape : tuple of int
        (channels, height, width) of images, (n_features,) of rows.
    weights : path-like, default=None
        A local file of weights, for a timm backbone.

    Returns
    -------
    nn.Module
        A new module on the CPU, owned by the caller.

    Raises
    ------
    ValueError
        If the backbone is unknown, without values (on the meta device) or does not take
        `input_shape`, `input_shape` is no such shape, or `weights` is given for another kind of
        backbone.

    See Also
    --------
    try_backbone : What a backbone gives.

    Examples
    --------
    >>> from skfer.nets import make_backbone
    >>> [type(make_backbone("auto", shape)).__name__ for shape in ((1, 48, 48), (9,))]
    ['FaceBackbone', 'MLP']
    """
    input_shape = check_input_shape(input_shape)
    if weights is not None and not (isinstance(backbone, str) and backbone.startswith("timm/")):
        raise ArgumentError(
            "{backbone_weights=} needs {backbone='timm/NAME'}, got {}.",
            shown(backbone),
            backbone_weights=str(weights),
        )
    if isinstance(backbone, str):
        return _named_backbone(backbone, input_shape, weights)
    if isinstance(backbone, nn.Module):
        _refuse_compiled(backbone)
        return _on_cpu(copy.deepcopy(backbone))
    if not callable(backbone):
        raise _unknown(backbone)
    _refuse_weights_first(backbone)
    try:
        module = backbone(input_shape)
    except Exception as error:
        name = getattr(backbone, "__name__", type(backbone).__name__)
        is_inside = error.__traceback__ is not None and error.__traceback__.tb_next is not None
        if is_inside or not isinstance(error, TypeError):
            error.add_note(
                f"{name}, given as backbone, was called with the input shape {input_shape}: where "
                "it takes something else, give an instance, or a function of the shape."
            )
            raise
        raise ArgumentError(
            "{backbone} is called with the input shape, here {}, and {} fails: {}. Give an "
            "instance, such as MyNet(), or a class or function that takes the shape.",
            *(input_shape, name, shorten(str(error).rstrip(". \n"))),
        ) from error
    if not isinstance(module, nn.Module):
        raise ArgumentError(
            "{backbone}: the callable must return a torch.nn.Module for an input shape, got {}.",
            type(module).__name__,
        )
    _refuse_compiled(module)
    return _on_cpu(module)


def _refuse_weights_first(backbone: Callable[..., Any]) -> None:
    """Refuse a function that would take the shape for weights, and look for them on the net."""
    try:
        first = next(iter(inspect.signature(backbone).parameters), "")
    except (TypeError, ValueError):  # of compiled code
        return
    if first in ("weights", "pretrained"):
        name = getattr(backbone, "__name__", type(backbone).__name__)
        call = f"{name}({first}={None if first == 'weights' else False})"
        raise ArgumentError(
            "{backbone} is called with the input shape, which {} would take for {}: give its "
            "network, {}, or lambda shape: {} for a new one in each fit.",
            *(name, first, call, call),
        )


def _refuse_compiled(module: nn.Module) -> None:
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise ArgumentError(
            "{backbone} is a module of torch.jit (script or trace), whose copies cannot be "
            "trained: give the module that it was made of."
        )


def _on_cpu(module: nn.Module) -> nn.Module:
    """Move a network to the CPU, where it is tried; one of an earlier fit may lie on a GPU."""
    try:
        return module.to("cpu")
    except NotImplementedError as error:
        raise ArgumentError(
            "{backbone}: {} has weights on the meta device, which holds no values: load them "
            "first.",
            type(module).__name__,
        ) from error


def _named_backbone(
    name: str, input_shape: tuple[int, ...], weights: str | Path | None
) -> nn.Module:
    if name in ("auto", "large", "scratch"):
        if len(input_shape) == 1:
            return MLP((input_shape[0],))
        check_sides(input_shape[1:], name)
        # Also where its network is not taken: what is drawn later depends on it.
        noise = CompactResNet(input_shape)  # type: ignore[arg-type]
        return noise if name == "scratch" else read_backbone(input_shape[0], large=name == "large")
    if not name.startswith("timm/"):
        raise _unknown(name)
    if len(input_shape) == 1:
        raise ArgumentError(
            "{backbone=} needs images, got rows of {} features: give {image_size=(height, width)} "
            "if the rows are images.",
            input_shape[0],
            backbone=name,
        )
    return TimmBackbone(name.removeprefix("timm/"), input_shape, weights)  # type: ignore[arg-type]


def _unknown(backbone: object) -> ArgumentError:
    return ArgumentError(
        "{backbone=} is unknown: use 'auto', 'large', 'scratch', 'timm/NAME', a torch.nn.Module or "
        "a callable.",
        backbone=backbone,
    )


class Trial(NamedTuple):
    """What :func:`try_backbone` finds out.

    Attributes
    ----------
    feature_shape : tuple of int
        The shape of the features of one input: (channels, h, w) of a map, or (n_features,).
    channels_last : bool
        Whether the backbone takes images in the layout ``torch.channels_last``, which is faster on
        a CPU.

    See Also
    --------
    try_backbone : Makes it.

    Examples
    --------
    >>> from skfer.nets import MLP, try_backbone
    >>> try_backbone(MLP((4,)), (4,)).feature_shape
    (64,)
    """

    feature_shape: tuple[int, ...]
    channels_last: bool


def try_backbone(backbone: nn.Module, input_shape: tuple[int, ...]) -> Trial:
    """Run a backbone on two inputs, made as :class:`EmbeddingNet` makes them.

    Parameters
    ----------
    backbone : nn.Module
        The network, on the CPU. Its modes and buffers are left as they were; its weights are left
        in the layout that it is found to take.
    input_shape : tuple of int
        (channels, height, width) of images, (n_features,) of rows.

    Returns
    -------
    Trial
        The shape of the features, and the layout that the backbone takes.

    Raises
    ------
    ValueError
        If the backbone cannot take such inputs, does not return a float32 map or row for each of
        them.

    See Also
    --------
    make_backbone : Makes backbones.

    Examples
    --------
    >>> from torch import nn
    >>> from skfer.nets import try_backbone
    >>> try_backbone(nn.Conv2d(1, 8, 3), (1, 24, 24))
    Trial(feature_shape=(8, 22, 22), channels_last=True)
    """
    check_module(backbone, "backbone")
    input_shape = check_input_shape(input_shape)
    if len(input_shape) == 1:
        return Trial(_feature_shape(backbone, torch.zeros(_N_TRIED, *input_shape)), False)
    channels, *sides = input_shape
    images = standardize_images(torch.zeros(_N_TRIED, *sides, channels))
    try:
        set_layout(backbone, channels_last=True)
        return Trial(_feature_shape(backbone, images), True)
    except ArgumentError:
        # Such as a network that flattens its input by x.view(len(x), -1).
        set_layout(backbone, channels_last=False)
        return Trial(_feature_shape(backbone, laid_out(images, channels_last=False)), False)


def _hint_of(backbone: nn.Module, batch: Tensor) -> str:
    """Return what to try instead of inputs that a backbone has failed on."""
    if batch.ndim != 4:
        return ""
    n_given = batch.shape[1]
    takes = next((m.in_channels for m in backbone.modules() if isinstance(m, nn.Conv2d)), n_given)
    if takes == n_given:
        return " Try images of another size, or another backbone."
    return (
        f" It takes {takes} channel{'s' * (takes > 1)}, and the images have {n_given}: give one "
        f"that takes {n_given}, such as face_backbone({n_given}), or images with {takes}."
    )


def _feature_shape(backbone: nn.Module, batch: Tensor) -> tuple[int, ...]:
    name = type(backbone).__name__
    modes = [(module, module.training) for module in backbone.modules()]
    backbone.eval()
    try:
        with torch.no_grad():
            features = backbone(batch)
    except Exception as error:
        raise ArgumentError(
            "{backbone}: {} cannot take inputs of shape {} (channels first): {}.{}",
            name,
            tuple(batch.shape[1:]),
            shorten(str(error).rstrip(". \n")),
            _hint_of(backbone, batch),
        ) from error
    finally:
        for module, training in modes:
            module.training = training
    if not isinstance(features, Tensor) or features.ndim not in (2, 4):
        raise ArgumentError(
            "{backbone}: {} must return a tensor (n, features) or (n, channels, h, w), got {}.",
            name,
            getattr(features, "shape", type(features).__name__),
        )
    if len(features) != len(batch):
        raise ArgumentError(
            "{backbone}: {} must return as many rows as it is given, and makes {} of {}.",
            *(name, len(features), len(batch)),
        )
    if features.dtype not in _DTYPES:
        raise ArgumentError(
            "{backbone}: {} must return float32, got {}: end it with .float().",
            *(name, features.dtype),
        )
    return tuple(features.shape[1:])


def refuse_batch_statistics(backbone: nn.Module) -> None:
    """Refuse what computes a face's features from its neighbors in inference too.

    Parameters
    ----------
    backbone : nn.Module
        To be trained.

    Raises
    ------
    ArgumentError
        If it has a batch norm without running statistics.

    See Also
    --------
    try_backbone : What a backbone gives.

    Examples
    --------
    >>> from torch import nn
    >>> from skfer.nets.making import refuse_batch_statistics
    >>> refuse_batch_statistics(nn.BatchNorm2d(3))
    """
    for name, part in backbone.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise ArgumentError(
                "{backbone}: its {} has no running statistics (track_running_stats=False), so that "
                "the embedding of a face would depend on the faces beside it: let it track them.",
                f"{type(part).__name__} {name!r}" if name else type(part).__name__,
            )
