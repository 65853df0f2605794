"""What a network makes of its inputs before the projection."""

from typing import Any

import numpy as np
from torch import Tensor, nn

from skfer._typing import NDArray
from skfer.training import Source, run_network


def pooled_features(net: Any, source: Source) -> NDArray[np.float32]:
    """Return the mean features of the backbone, each in units of its spread.

    Parameters
    ----------
    net : MetricNet
        The network, its device and its precision.
    source : ImageSource or RowSource
        The inputs; where the network mirrors images, both count by half.
    """
    parts: list[NDArray[np.float32]] = []

    def keep(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        pooled = output.float().mean((2, 3)) if output.ndim == 4 else output.float()
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
