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
        n = len(images)
        # One draw for all parameters: a generator call costs more than the numbers.
        draws = torch.rand(n, 7, device=images.device) * 2 - 1
        grid = self._sample_grid(images, draws[:, :5])
        moved = F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
        gain = 1 + self.contrast * draws[:, 5]
        moved *= gain.to(moved.dtype)[:, None, None, None]
        moved += (self.brightness * draws[:, 6]).to(moved.dtype)[:, None, None, None]
        return moved

    def _sample_grid(self, images: Tensor, draws: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        theta = self._theta(draws, height / width)
        x, y, grid = self._workspace(len(theta), height, width, images.device)
        # grid[i, (j, k)] = [y_i, 1] @ [[theta_ky], [theta_kx x_j + theta_k1]]: a product of rank
        # two an image, ten times as fast as the usual one over all pixels.
        right = torch.empty(len(theta), 2, width, 2, device=images.device)
        right[:, 0] = theta[:, None, :, 1]
        right[:, 1] = torch.addcmul(theta[:, None, :, 2], theta[:, None, :, 0], x)
        torch.bmm(y.expand(len(theta), -1, -1), right.flatten(2), out=grid)
        return grid.view(-1, height, width, 2).to(images.dtype)

    def _theta(self, draws: Tensor, aspect: float) -> Tensor:
        """Affine maps (n, 2, 3) from output to input, either axis from -1 to 1."""
        angle = draws[:, 0] * (self.degrees * math.pi / 180)
        scale = 1 + self.zoom * draws[:, 1]
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        mirror = torch.where(draws[:, 4] > 0, -1.0, 1.0) if self.flip else torch.ones_like(scale)
        shift = 2 * self.shift * draws[:, 2:4]
        rows = [cos * mirror, sin * aspect, shift[:, 0], -sin * mirror / aspect, cos, shift[:, 1]]
        return torch.stack(rows, 1).view(-1, 2, 3)

    def _workspace(
        self, n: int, height: int, width: int, device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return both axes and memory for the grid, kept from batch to batch.

        Fresh memory for each grid would cost as much as filling it.
        """
        key = (n, height, width, device)
        if self._cache is None or self._cache[0] != key:
            x = (torch.arange(width, device=device) * 2 + 1) / width - 1
            y = (torch.arange(height, device=device) * 2 + 1) / height - 1
            y = torch.stack([y, torch.ones_like(y)], 1)[None]
            grid = torch.empty(n, height, 2 * width, device=device)
            self._cache = (key, x[:, None].expand(-1, 2).contiguous(), y, grid)
        return self._cache[1:]
