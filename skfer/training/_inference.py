"""Runs a trained network."""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from skfer.exceptions import ArgumentError
from skfer.nets import Embedded
from skfer.training._modes import autocast, getting_ready, plain_modes
from skfer.training._pictures import fetched
from skfer.training._source import RowSource, Source, on_device

_FEW, _MANY = 8, 64  # images at a time on a CPU: for a single face, or for many
_SAME: WeakKeyDictionary[nn.Module, dict[Any, bool | None]] = WeakKeyDictionary()


def run_network(
    network: nn.Module,
    source: Source,
    device: torch.device | str,
    precision: str,
) -> Iterator[tuple[slice, Embedded]]:
    """Run a network over a source in batches of one size, in inference mode.

    A few images alone are a smaller batch, from the second time on, where the outputs are the same.

    Parameters
    ----------
    network : EmbeddingNet
        It is moved to `device` and set to inference mode, if it is not there or not in it. So
        several threads may run it at a time, if none of them trains it.
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

    Raises
    ------
    ArgumentError
        If an embedding is not finite.

    See Also
    --------
    ImageSource : What it runs over.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import CompactResNet, EmbeddingNet, try_backbone
    >>> backbone = CompactResNet((1, 16, 16), width=4)
    >>> shape = try_backbone(backbone, (1, 16, 16)).feature_shape
    >>> net = EmbeddingNet(backbone, shape, 6, n_classes=3).eval()
    >>> import numpy as np
    >>> from skfer.training import ImageSource, run_network
    >>> source = ImageSource(np.zeros((3, 16, 16), np.uint8), (16, 16))
    >>> for rows, output in run_network(net, source, "cpu", "float32"):
    ...     print(rows, output.embedding.shape)
    slice(0, 3, None) torch.Size([3, 6])
    """
    device = torch.empty(0, device=device).device  # with its number, if it has one
    _make_ready(network, device)
    size = 512 if device.type == "cuda" or isinstance(source, RowSource) else _MANY
    parts = [slice(i, min(i + size, len(source))) for i in range(0, len(source), size)]
    for rows, inputs in zip(parts, fetched(source, parts), strict=True):
        if size == _MANY and len(source) <= _FEW:
            size = _FEW if _few_as_many(network, inputs, device, precision) else _MANY
        batch = _pad(inputs, size)
        output = _output(network, batch, device, precision)
        n = rows.stop - rows.start
        output = Embedded._make(None if t is None else t[:n] for t in output)
        _check_finite(output.embedding, rows.start)
        yield rows, output


def _make_ready(network: nn.Module, device: torch.device) -> None:
    """Move a network and set its mode, where this is to be done.

    Even to move it to where it is would pull its weights away from under another thread.
    """
    tensors = [*network.parameters(), *network.buffers()]
    with getting_ready():
        if any(tensor.device != device for tensor in tensors):
            network.to(device)
        if any(module.training for module in network.modules()):
            network.eval()


def _output(network: nn.Module, batch: Tensor, device: torch.device, precision: str) -> Embedded:
    with plain_modes(), torch.inference_mode(), autocast(device, precision):
        output: Embedded = network(on_device(batch, device))
    return output


def _few_as_many(network: nn.Module, inputs: Tensor, device: torch.device, precision: str) -> bool:
    """Whether a sample has the same output, bit for bit, among few as among many.

    That depends on which kernels the processor has for a layer. It is tried once for a network and
    a shape of inputs, as long as torch has as many threads, and not before it is asked again: for
    a single answer it would not pay. It is not tried while somebody hooks into the network, who is
    to see what it is asked for, and nothing else.
    """
    found = _SAME.setdefault(network, {})
    case = (inputs.shape[1:], device, precision, torch.get_num_threads())
    if case not in found:
        found[case] = None
    elif found[case] is None and not _has_hooks(network):
        drawn = np.random.RandomState(0).randint(0, 256, (_FEW, *inputs.shape[1:]))
        few = torch.from_numpy(drawn).to(inputs.dtype)
        outputs = [_output(network, _pad(few, n), device, precision) for n in (_FEW, _MANY)]
        found[case] = all(
            a is None or torch.equal(a[:_FEW], b[:_FEW]) for a, b in zip(*outputs, strict=True)
        )
    return bool(found[case])


def _has_hooks(network: nn.Module) -> bool:
    return any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


def _check_finite(embedding: Tensor, start: int) -> None:
    finite = embedding.isfinite().all(1)
    if not bool(finite.all()):
        raise ArgumentError(
            "{X} has an embedding that is not finite, that of sample {}: its values are far from "
            "those of the fit, or the training has gone astray (lower {lr}, and fit again).",
            start + int(finite.int().argmin()),
        )


def _pad(batch: Tensor, size: int) -> Tensor:
    if len(batch) == size:
        return batch
    padded = batch.new_zeros(size, *batch.shape[1:])
    padded[: len(batch)] = batch
    return padded
