"""Augmentation of a whole batch of images at once, on the batch's device."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class FaceAugment(nn.Module):
    """Random rotation, zoom, shift, mirroring, contrast and brightness.

    One affine grid for each image, with the mirroring folded in, so that the images are
    resampled once. It acts on standardised images (zero mean): what a shift uncovers is
    filled with zeros, and contrast and brightness are in units of an image's own spread.

    Parameters
    ----------
    degrees : float, default=10
        Largest rotation to either side.
    zoom : float, default=0.1
        Largest relative change of scale.
    shift : float, default=0.06
        Largest shift, as a fraction of a side.
    flip : bool, default=True
        Whether to mirror every other image, on average, from left to right.
    contrast : float, default=0.2
        Largest relative change of contrast.
    brightness : float, default=0.2
        Largest change of brightness.

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
        self.degrees = degrees
        self.zoom = zoom
        self.shift = shift
        self.flip = flip
        self.contrast = contrast
        self.brightness = brightness
        self._cache: tuple | None = None

    def __getstate__(self) -> dict:
        # The cached axes live on a device; a pickle must not.
        return self.__dict__ | {"_cache": None}

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Augment images (n, channels, height, width), float; the shape stays."""
        # One draw for all parameters, and as few calls as may be: on small numbers a call costs
        # more than the numbers.
        params = self._params(torch.rand(len(images), 7, device=images.device))
        grid = self._sample_grid(images, params)
        moved = F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
        moved *= params[:, 5, None, None, None].to(moved.dtype)
        moved += params[:, 6, None, None, None].to(moved.dtype)
        return moved

    def _params(self, draws: Tensor) -> Tensor:
        """Map draws (n, 7) in [0, 1) to angle, scale, two shifts, mirroring, gain, brightness.

        The angle is in radians, the shifts are of axes from -1 to 1, an image with mirroring
        below 0 is mirrored.
        """
        angle, shift = math.radians(self.degrees), 2 * self.shift
        most = [angle, self.zoom, shift, shift, 1, self.contrast, self.brightness]
        middle = [0, 1, 0, 0, 0 if self.flip else 2, 1, 0]
        limits = torch.tensor([most, middle], device=draws.device)
        return torch.addcmul(limits[1] - limits[0], draws, 2 * limits[0])

    def _sample_grid(self, images: Tensor, params: Tensor) -> Tensor:
        """Return where to look for each pixel: (n, height, width, 2), either axis from -1 to 1."""
        n, _, height, width = images.shape
        phases, x, stretch, y, grid = self._workspace(n, height, width, images.device)
        turns = torch.cos(params[:, :1] + phases) * params[:, 1:2]  # cos, -sin, sin, cos
        turns[:, :2] *= torch.ones_like(params[:, 4:5]).copysign_(params[:, 4:5])
        # grid[i, j, k] = shift_i + turn_i @ [x_k, y_j], without a product over all pixels.
        along_x = torch.addcmul(params[:, None, 2:4], turns[:, None, :2], x).view(n, 1, -1)
        along_y = (turns[:, None, 2:] * stretch).view(n, 1, -1)
        torch.addcmul(along_x, y, along_y, out=grid)
        return grid.view(n, height, width, 2).to(images.dtype)

    def _workspace(
        self, n: int, height: int, width: int, device: torch.device
    ) -> tuple[Tensor, ...]:
        """Return what depends on the shape alone, and memory for the grid.

        Kept from batch to batch: fresh memory for each grid would cost as much as filling it.
        The axes are stretched so that a turn is rigid in pixels.
        """
        key = (n, height, width, device)
        if self._cache is None or self._cache[0] != key:
            aspect = height / width
            phases = torch.tensor([0, math.pi / 2, -math.pi / 2, 0], device=device)
            x = ((torch.arange(width, device=device) * 2 + 1) / width - 1)[:, None]
            x = x * torch.tensor([1, 1 / aspect], device=device)
            stretch = torch.tensor([aspect, 1], device=device).expand(width, 2).contiguous()
            y = ((torch.arange(height, device=device) * 2 + 1) / height - 1)[None, :, None]
            grid = torch.empty(n, height, 2 * width, device=device)
            self._cache = (key, phases, x, stretch, y, grid)
        return self._cache[1:]
