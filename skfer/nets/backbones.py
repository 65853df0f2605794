"""Small backbones: networks from standardized images or rows to features."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skfer.exceptions import ArgumentError
from skfer.nets._checks import check_input_shape
from skfer.validation import check_int

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
            # In torch both values of the flag give the same; older ONNX runtimes count cells beyond
            # the border where it is set.
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
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
        If the shorter side is below 16 pixels, or an argument is out of its range.

    See Also
    --------
    face_backbone : A network that has learned from drawn faces.
    MLP : The network for rows.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import CompactResNet
    >>> CompactResNet((1, 48, 48))(torch.zeros(2, 1, 48, 48)).shape
    torch.Size([2, 56, 6, 6])
    """

    def __init__(self, input_shape: tuple[int, int, int], width: int = 16) -> None:
        super().__init__()
        channels, *sides = check_input_shape(input_shape, n_axes=3)
        width = check_int(width, "width", at_least=1)
        check_sides(sides, "auto")
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


def check_sides(sides: Sequence[int], backbone: str) -> None:
    """Raise ArgumentError for images that a backbone of this name finds too small."""
    if min(sides) < MIN_IMAGE_SIDE:
        raise ArgumentError(
            "{backbone=} needs images of at least {} x {} pixels, got {} x {}: enlarge the "
            "images, or pass a backbone of your own.",
            *(MIN_IMAGE_SIDE, MIN_IMAGE_SIDE, *sides),
            backbone=backbone,
        )


class MLP(nn.Module):
    """A small multilayer perceptron for rows of features.

    Parameters
    ----------
    input_shape : tuple of int
        (n_features,).
    width : int, default=64
        Number of units of each of the two hidden layers.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    See Also
    --------
    CompactResNet : The network for images.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import MLP
    >>> MLP((5,))(torch.zeros(2, 5)).shape
    torch.Size([2, 64])
    """

    def __init__(self, input_shape: tuple[int], width: int = 64) -> None:
        super().__init__()
        (n_features,) = check_input_shape(input_shape, n_axes=1)
        width = check_int(width, "width", at_least=1)
        self.layers = nn.Sequential(
            nn.Linear(n_features, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map rows (n, n_features) to features (n, width)."""
        return self.layers(x)
