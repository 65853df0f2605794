"""Augmentation of a whole batch of images at once, on the batch's device."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skfer.nets._checks import check_standardized
from skfer.validation import check_flag, check_real

_AT_ONCE = 16


class FaceAugment(nn.Module):
    """Random rotation, zoom, shift, mirroring, contrast and brightness.

    Each image is resampled once, by one affine grid that includes the mirroring. Images are
    expected to be standardized (mean 0): pixels from outside the image are filled with 0, and
    brightness is in units of an image's standard deviation.

    Parameters
    ----------
    degrees : float, default=10
        Largest rotation to either side, in degrees, at most 180.
    zoom : float, default=0.1
        Largest relative change of scale, below 1.
    shift : float, default=0.06
        Largest shift, as a fraction of a side, at most 1.
    flip : bool, default=True
        Whether to mirror every other image, on average, from left to right.
    contrast : float, default=0.2
        Largest relative change of contrast, at most 1.
    brightness : float, default=0.2
        Largest change of brightness.

    Raises
    ------
    ValueError
        If an argument is out of its range. On a call: if the images are no floating-point tensor
        of shape (n, channels, height, width).

    See Also
    --------
    EmbeddingNet : Applies it in training.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import FaceAugment
    >>> FaceAugment()(torch.zeros(4, 1, 48, 48)).shape
    torch.Size([4, 1, 48, 48])
    """

    def __init__(
        self,
        *,
        degrees: float = 10,
        zoom: float = 0.1,
        shift: float = 0.06,
        flip: bool = True,
        contrast: float = 0.2,
        brightness: float = 0.2,
    ) -> None:
        super().__init__()
        self.degrees = check_real(degrees, "degrees", at_least=0, at_most=180)
        self.zoom = check_real(zoom, "zoom", at_least=0, below=1)
        self.shift = check_real(shift, "shift", at_least=0, at_most=1)
        self.flip = check_flag(flip, "flip")
        self.contrast = check_real(contrast, "contrast", at_least=0, at_most=1)
        self.brightness = check_real(brightness, "brightness", at_least=0)
        self._cache: tuple[object, _Workspace] | None = None

    def __getstate__(self) -> dict:
        # The cached axes may lie on a GPU, which a pickle must not depend on.
        return self.__dict__ | {"_cache": None}

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Augment floating-point images (n, channels, height, width); the shape stays the same."""
        images = check_standardized(images)
        # One draw for all parameters, and few calls: with little data, calls dominate the time.
        space = self._workspace(images)
        draws = torch.rand(len(images), 7, dtype=torch.float32, device=images.device)
        params = torch.addcmul(space.low, draws, space.span)
        along_x, along_y = _turned_axes(params, space)
        gain = params[:, 5, None, None, None].to(images.dtype)
        brightness = params[:, 6, None, None, None].to(images.dtype)
        moved = torch.empty_like(images)
        for start in range(0, len(images), space.size):
            part = slice(start, start + space.size)
            some = images[part]
            grid = torch.addcmul(along_x[part], space.y, along_y[part], out=space.grid[: len(some)])
            grid = grid.view(-1, *some.shape[2:], 2).to(some.dtype)
            sampled = F.grid_sample(some, grid, padding_mode="zeros", align_corners=False)
            torch.mul(sampled, gain[part], out=moved[part]).add_(brightness[part])
        return moved

    def _limits(self) -> list[list[float]]:
        """Return the half range and the middle of each random parameter.

        These are the angle in radians, the scale, two shifts in units of axes from -1 to 1, the
        mirroring (below 0 the image is mirrored), the gain, and the brightness.
        """
        angle, shift = math.radians(self.degrees), 2 * self.shift
        half_ranges = [angle, self.zoom, shift, shift, 1, self.contrast, self.brightness]
        return [half_ranges, [0, 1, 0, 0, 0 if self.flip else 2, 1, 0]]

    def _workspace(self, images: Tensor) -> "_Workspace":
        """Return what depends on the settings and the shape only, and memory for a grid.

        It is kept from batch to batch: allocating a grid would take as long as filling it.
        """
        n, _, height, width = images.shape
        device, limits = images.device, self._limits()
        # On a CPU, a few images at a time, so that their grid stays in its cache.
        size = min(max(n, 1), _AT_ONCE) if device.type == "cpu" else max(n, 1)
        key = (size, height, width, device, limits)
        if self._cache is None or self._cache[0] != key:
            self._cache = (key, _make_workspace(size, height, width, device, limits))
        return self._cache[1]


class _Workspace(NamedTuple):
    """Number of images per chunk, limits of the parameters, axes, and memory for a grid."""

    size: int
    low: Tensor
    span: Tensor
    phases: Tensor
    x: Tensor
    stretch: Tensor
    y: Tensor
    grid: Tensor


def _make_workspace(
    size: int, height: int, width: int, device: torch.device, limits: list[list[float]]
) -> "_Workspace":
    """Compute the axes, stretched so that rotations are rigid in pixels."""
    half_ranges, middle = torch.tensor(limits, dtype=torch.float32, device=device)
    aspect = height / width
    x = ((torch.arange(width, device=device) * 2 + 1) / width - 1)[:, None]
    return _Workspace(
        size=size,
        low=middle - half_ranges,
        span=2 * half_ranges,
        phases=torch.tensor([0, math.pi / 2, -math.pi / 2, 0], device=device),
        x=x * torch.tensor([1, 1 / aspect], device=device),
        stretch=torch.tensor([aspect, 1], device=device).expand(width, 2).contiguous(),
        y=((torch.arange(height, device=device) * 2 + 1) / height - 1)[None, :, None],
        grid=torch.empty(size, height, 2 * width, device=device),
    )


def _turned_axes(params: Tensor, space: _Workspace) -> tuple[Tensor, Tensor]:
    """Return the two terms of grid[i, j, k] = shift_i + turn_i @ [x_k, y_j].

    The grid is the first term plus y_j times the second, without a matrix product per pixel.
    """
    n = len(params)
    turns = torch.cos(params[:, :1] + space.phases) * params[:, 1:2]  # cos, -sin, sin, cos
    turns[:, :2] *= torch.ones_like(params[:, 4:5]).copysign_(params[:, 4:5])
    along_x = torch.addcmul(params[:, None, 2:4], turns[:, None, :2], space.x).view(n, 1, -1)
    along_y = (turns[:, None, 2:] * space.stretch).view(n, 1, -1)
    return along_x, along_y
