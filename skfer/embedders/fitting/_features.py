"""What a network makes of its inputs before the projection."""

import math
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from skfer._typing import NDArray
from skfer.training import Source, run_network

_MOST_VALUES = 50_000_000


def count_cells(finest: int, n_samples: int, n_channels: int) -> int:
    """Return in how many parts of its height and width a feature map is averaged.

    `finest`, unless the features of all samples would take more than 200 MB.
    """
    return min(finest, max(1, math.isqrt(_MOST_VALUES // (n_samples * n_channels))))


def pooled_features(net: Any, source: Source, finest: int = 1) -> NDArray[np.float32]:
    """Return the mean features of the backbone, each in units of its spread.

    Parameters
    ----------
    net : MetricNet
        The network, its device and its precision.
    source : ImageSource or RowSource
        The inputs; where the network mirrors images, both count by half.
    finest : int, default=1
        In how many parts of its height and of its width a feature map is averaged at most.
    """
    parts: list[NDArray[np.float32]] = []

    def keep(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        pooled = output.float()
        if pooled.ndim == 4:
            channels, height, width = pooled.shape[1:]
            cells = count_cells(finest, len(source), channels)
            pooled = F.adaptive_avg_pool2d(pooled, (min(cells, height), min(cells, width)))
            pooled = pooled.flatten(1)
        parts.append(pooled.cpu().numpy())

    watch = net.module_.backbone.register_forward_hook(keep)
    try:
        arrays = []
        for rows, _ in run_network(net.module_, source, net.device, net.precision):
            # A mirrored image passes after its own.
            arrays.append(np.mean(parts, axis=0)[: rows.stop - rows.start])
            parts.clear()
    finally:
        watch.remove()
    features = np.concatenate(arrays)
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
