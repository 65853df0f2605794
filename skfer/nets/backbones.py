"""Backbones: networks from standardized images or rows to features."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MIN_IMAGE_SIDE = 16
"""Shortest side, in pixels, that :class:`CompactResNet` accepts."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm, and a shortcut.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of input and output.
    stride : int, default=1
        Stride of the first convolution; the shortcut is average-pooled by it.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        shortcut: list[nn.Module] = []
        if stride > 1:
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if in_channels != out_channels:
            shortcut.append(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            shortcut.append(nn.BatchNorm2d(out_channels))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, ceil(h / stride), ceil(w / stride))."""
        y = torch.relu_(self.norm1(self.conv1(x)))
        return torch.relu_(self.norm2(self.conv2(y)) + self.shortcut(x))


class CompactResNet(nn.Module):
    """A small residual network for face crops of 16 to 224 pixels and more.

    A stem halves the image several times, depending on its size; three residual blocks follow, two
    of which halve it again. From 32 px on, the last feature map has 4 to 8 cells a side, so a
    larger image costs little more than its stem. With the default width, the network for gray
    images of 48 px has 66,000 parameters.

    Parameters
    ----------
    input_shape : tuple of int
        (channels, height, width) of the images.
    width : int, default=16
        Number of channels of the stem and the first block; the next two blocks have 2 and 3.5
        times as many.

    Raises
    ------
    ValueError
        If the shorter side is below 16 pixels.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import CompactResNet
    >>> CompactResNet((1, 48, 48))(torch.zeros(2, 1, 48, 48)).shape
    torch.Size([2, 56, 6, 6])
    """

    def __init__(self, input_shape: tuple[int, int, int], width: int = 16) -> None:
        super().__init__()
        channels, *sides = input_shape
        if min(sides) < MIN_IMAGE_SIDE:
            raise ValueError(
                f"backbone='auto' needs images of at least {MIN_IMAGE_SIDE} x {MIN_IMAGE_SIDE} "
                f"pixels, got {sides[0]} x {sides[1]}: enlarge the images, or pass a backbone "
                "of your own."
            )
        halvings = max(3, round(math.log2(min(sides) / 6)))
        layers: list[nn.Module] = []
        for inputs in [channels] + [width] * (halvings - 3):
            layers += [
                nn.Conv2d(inputs, width, 3, 2, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
        layers += [
            ResidualBlock(width, width),
            ResidualBlock(width, 2 * width, stride=2),
            ResidualBlock(2 * width, 7 * width // 2, stride=2),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, channels, height, width) to a feature map (n, 3.5 width, h, w)."""
        return self.layers(x)


class MLP(nn.Module):
    """A small multilayer perceptron for rows of features.

    Parameters
    ----------
    input_shape : tuple of int
        (n_features,).
    width : int, default=64
        Units of the two hidden layers.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import MLP
    >>> MLP((5,))(torch.zeros(2, 5)).shape
    torch.Size([2, 64])
    """

    def __init__(self, input_shape: tuple[int], width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(input_shape[0], width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map rows (n, n_features) to features (n, width)."""
        return self.layers(x)


class TimmBackbone(nn.Module):
    """Any backbone of timm by name, without its classifier.

    Parameters
    ----------
    name : str
        A name that ``timm.list_models()`` knows.
    input_shape : tuple of int
        (channels, height, width) of the images.
    weights : path-like, optional
        A local file of weights (``.safetensors``, ``.pth``, ``.bin``). Without it the
        network starts from random weights; nothing is ever downloaded. For gray images the
        filters of a color network are summed over its channels; a network that is laid out
        for one size of images is laid out for these, and its positions are resized.

    Raises
    ------
    ImportError
        If timm is not installed, or cannot be imported.
    ValueError
        If timm does not know the name, or the file does not fit the network.
    FileNotFoundError
        If the file does not exist.
    """

    def __init__(
        self,
        name: str,
        input_shape: tuple[int, int, int],
        weights: str | Path | None = None,
    ) -> None:
        super().__init__()
        timm = _import_timm(name)
        if weights is not None and not Path(weights).is_file():
            raise FileNotFoundError(f"backbone_weights={str(weights)!r} is not a file.")
        if not timm.is_model(name):
            raise ValueError(
                f"backbone='timm/{name}' is unknown to timm; timm.list_models() lists the names."
            )
        channels, *sides = input_shape
        # Transformers, mostly, are laid out for one size of images.
        fixed = timm.get_pretrained_cfg_value(name, "fixed_input_size")
        size = {"img_size": tuple(sides)} if fixed else {}
        self.model = timm.create_model(
            name, pretrained=False, in_chans=channels, num_classes=0, **size
        )
        if weights is not None:
            self._load(timm, weights)

    def _load(self, timm: Any, weights: str | Path) -> None:
        # The file may hold a classifier, which this network has not: that alone may be left over.
        try:
            keys = timm.models.load_checkpoint(
                self.model, str(weights), strict=False, filter_fn=_fitting
            )
        except Exception as error:
            raise ValueError(
                f"backbone_weights={str(weights)!r} does not fit this network: {error}"
            ) from error
        missing = list(getattr(keys, "missing_keys", ()))
        if missing:
            raise ValueError(
                f"backbone_weights={str(weights)!r} lacks {len(missing)} of the network's tensors, "
                f"the first of them {missing[0]!r}: it is of another network."
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map images to a feature map (n, c, h, w), or to rows where the network has no map."""
        features = self.model.forward_features(x)
        if features.ndim == 4:
            channels_last = features.shape[1] != self.model.num_features
            return features.permute(0, 3, 1, 2) if channels_last else features
        return self.model.forward_head(features, pre_logits=True)


def _import_timm(name: str) -> Any:
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f"backbone='timm/{name}' needs timm: pip install 'skfer[vision]'."
        ) from error
    except Exception as error:
        # A torchvision that is made for another torch raises all kinds of things.
        raise ImportError(
            f"backbone='timm/{name}' needs timm, which is installed but fails ({error}): install "
            "a torchvision that goes with this torch."
        ) from error
    return timm


def _fitting(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Make weights of color images fit gray ones, and those of one image size another one.

    A gray image is a color image of three equal channels: filters are summed over them.
    """
    own = model.state_dict()
    for name, value in weights.items():
        if name in own and value.ndim == 4 and own[name].shape[1] == 1 and value.shape[1] == 3:
            weights[name] = value.sum(1, keepdim=True)
    # timm has this one, if any, beside the model: it resizes what stands for positions.
    resize = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    return weights if resize is None else resize(weights, model)


def make_backbone(
    backbone: str | nn.Module | Callable[[tuple[int, ...]], nn.Module],
    input_shape: tuple[int, ...],
    weights: str | Path | None = None,
) -> nn.Module:
    """Make the network that a ``backbone`` parameter describes.

    Parameters
    ----------
    backbone : "auto", "timm/NAME", nn.Module or callable
        "auto" is a :class:`CompactResNet` for images and an :class:`MLP` for rows. A module
        is copied with its weights. A callable takes `input_shape` and returns a module.
    input_shape : tuple of int
        (channels, height, width) of images, (n_features,) of rows.
    weights : path-like, optional
        A local file of weights, for a timm backbone.

    Returns
    -------
    nn.Module
        A new module on the CPU, owned by the caller.

    Raises
    ------
    ValueError
        If the backbone is unknown or without values (on the meta device), or `weights` is given
        for another kind of backbone.
    """
    if weights is not None and not (isinstance(backbone, str) and backbone.startswith("timm/")):
        raise ValueError(
            f"backbone_weights={str(weights)!r} needs backbone='timm/NAME', "
            f"got backbone={backbone!r}."
        )
    if isinstance(backbone, str):
        return _named_backbone(backbone, input_shape, weights)
    if isinstance(backbone, nn.Module):
        return _on_cpu(copy.deepcopy(backbone))
    module = backbone(input_shape)
    if not isinstance(module, nn.Module):
        raise ValueError(
            "backbone: the callable must return a torch.nn.Module for an input shape, "
            f"got {type(module).__name__}."
        )
    return _on_cpu(module)


def _on_cpu(module: nn.Module) -> nn.Module:
    """Move a network to the CPU, where it is tried; one of an earlier fit may lie on a GPU."""
    try:
        return module.to("cpu")
    except NotImplementedError as error:
        raise ValueError(
            f"backbone: {type(module).__name__} has weights on the meta device, which holds no "
            "values: load them first."
        ) from error


def _named_backbone(name: str, input_shape: tuple[int, ...], weights) -> nn.Module:
    is_image = len(input_shape) == 3
    if name == "auto":
        return CompactResNet(input_shape) if is_image else MLP(input_shape)  # type: ignore[arg-type]
    if name.startswith("timm/"):
        if not is_image:
            raise ValueError(
                f"backbone={name!r} needs images, got rows of {input_shape[0]} features: "
                "pass image_size=(height, width) if the rows are images."
            )
        return TimmBackbone(name.removeprefix("timm/"), input_shape, weights)  # type: ignore[arg-type]
    raise ValueError(
        f"backbone={name!r} is unknown: use 'auto', 'timm/NAME', a torch.nn.Module or a callable."
    )


def feature_shape(backbone: nn.Module, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Find the shape of a backbone's features for one input by a trial run.

    Parameters
    ----------
    backbone : nn.Module
        The network, on the CPU; its mode and its buffers are left as they were.
    input_shape : tuple of int
        (channels, height, width) of images, (n_features,) of rows.

    Returns
    -------
    tuple of int
        (channels, h, w) of a feature map, or (n_features,).

    Raises
    ------
    ValueError
        If the backbone cannot take such inputs, or returns neither maps nor rows.
    """
    was_training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad():
            features = backbone(torch.zeros(1, *input_shape))
    except Exception as error:
        hint = " Try images of another size, or another backbone." if len(input_shape) == 3 else ""
        raise ValueError(
            f"backbone: {type(backbone).__name__} cannot take inputs of shape {input_shape} "
            f"(channels first): {error}{hint}"
        ) from error
    finally:
        backbone.train(was_training)
    if not isinstance(features, Tensor) or features.ndim not in (2, 4):
        raise ValueError(
            f"backbone: {type(backbone).__name__} must return a tensor (n, features) or "
            f"(n, channels, h, w), got {getattr(features, 'shape', type(features).__name__)}."
        )
    return tuple(features.shape[1:])
