"""Runs a trained network."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from skfer.nets import Embedded
from skfer.training._net import autocast
from skfer.training._source import ImageSource, RowSource


def run_network(
    network: nn.Module,
    source: ImageSource | RowSource,
    device: torch.device | str,
    precision: str,
) -> Iterator[tuple[slice, Embedded]]:
    """Run a network over a source in batches of one size, in inference mode.

    Parameters
    ----------
    network : EmbeddingNet
        It is moved to `device`.
    source : ImageSource or RowSource
        The inputs.
    device : torch.device or str
        Where to run.
    precision : {"float32", "bfloat16"}
        Arithmetic of the layers.

    Yields
    ------
    rows : slice
        The positions of a batch's samples in the source.
    output : Embedded
        What the network returned for them.
    """
    device = torch.device(device)
    network = network.to(device).eval()
    size = 512 if device.type == "cuda" or isinstance(source, RowSource) else 64
    for start in range(0, len(source), size):
        rows = slice(start, min(start + size, len(source)))
        batch = _pad(source[rows], size)
        with torch.inference_mode(), autocast(device, precision):
            output = network(batch.to(device, non_blocking=True))
        n = rows.stop - rows.start
        yield rows, Embedded._make(None if t is None else t[:n] for t in output)


def _pad(batch: Tensor, size: int) -> Tensor:
    if len(batch) == size:
        return batch
    padded = batch.new_zeros(size, *batch.shape[1:])
    padded[: len(batch)] = batch
    return padded
