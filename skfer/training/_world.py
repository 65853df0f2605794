"""One training on several processes, by torch.distributed.

Every process draws the same batches with the same generators, and augments the whole batch. Each
runs the backbone on its part alone; embeddings are gathered, and the losses computed on all of them
by each process. So the batch is that of a single process, as are the gradients but for rounding.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.nets import Embedded

if dist.is_available():
    # Its functions keep the group of the moment at which it is imported as their default, and torch
    # imports it with the first optimizer. A group that is kept outlives destroy_process_group, and
    # its threads may end a process that is about to exit by an abort.
    import torch.distributed.nn


class World:
    """The processes that train together, seen from one of them.

    Attributes
    ----------
    rank : int
        The number of this process.
    size : int
        How many there are.

    See Also
    --------
    find_world : Makes it, where there are several processes.

    Examples
    --------
    >>> import tempfile
    >>> import torch.distributed as dist
    >>> from skfer.training import World
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     store = dist.FileStore(file.name, 1)
    ...     dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    ...     World().part(12)
    ...     dist.destroy_process_group()
    slice(0, 12, None)
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def part(self, n: int) -> slice:
        """Return which of the n samples of a batch this process runs the network on."""
        if n < self.size:
            raise ArgumentError(
                "{samples_per_class}: a batch of {} samples is too small for {} processes.",
                n,
                self.size,
            )
        return slice(*self._bounds(n)[self.rank : self.rank + 2])

    def gathered(self, output: Embedded, n: int) -> Embedded:
        """Return the outputs of all n samples of a batch, given those of this process's part."""
        bounds = self._bounds(n)
        return Embedded._make(
            None if tensor is None else _Gathered.apply(tensor, bounds, self.rank)
            for tensor in output
        )

    def sum_gradients(self, module: nn.Module) -> None:
        """Add up the gradients that each process has of its part."""
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        if not gradients:
            return
        whole = torch.cat([gradient.reshape(-1) for gradient in gradients])
        _all_reduce(whole)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, part in zip(gradients, whole.split(sizes), strict=True):
            gradient.copy_(part.view_as(gradient))

    def check_same(self, arrays: Sequence[NDArray[Any] | None], seed: int) -> None:
        """Raise ArgumentError unless all processes train on the same labels, from one seed."""
        parts = [b"" if array is None else array.tobytes() for array in arrays]
        digests = [hashlib.sha256(part).hexdigest() for part in parts]
        mine = (seed, *digests)
        all_of_them: list[Any] = [None] * self.size
        dist.all_gather_object(all_of_them, mine)
        if len(set(all_of_them)) > 1:
            raise ArgumentError(
                "{random_state}, y, groups, votes and {max_epochs} have to be the same in all {} "
                "processes that train together: give each of them all samples, in one order, and "
                "the same int as {random_state}.",
                self.size,
            )

    def _bounds(self, n: int) -> list[int]:
        return [n * rank // self.size for rank in range(self.size + 1)]


def find_world() -> World | None:
    """Return the processes that train together, or None if this one trains alone.

    See Also
    --------
    World : What is returned.

    Examples
    --------
    >>> from skfer.training import find_world
    >>> print(find_world())
    None
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return None
    return World()


@contextmanager
def norms_of_whole_batches(module: nn.Module) -> Iterator[None]:
    """Have batch norms take the statistics of the batches of all processes, inside the block.

    torch's SyncBatchNorm does so on GPUs alone.
    """
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]
    for norm in norms:
        if type(norm) not in _SYNCED:
            raise ArgumentError(
                "{backbone} holds {}, whose statistics cannot be taken over several processes: use "
                "BatchNorm1d or BatchNorm2d of torch, or another kind of norm.",
                type(norm).__name__,
            )
    for norm in norms:
        norm.__class__ = _SYNCED[type(norm)]  # type: ignore[assignment]
    try:
        yield
    finally:
        for norm in norms:
            norm.__class__ = type(norm).__bases__[-1]


class _Gathered(torch.autograd.Function):
    """The parts of all processes, one after the other; the gradient is that of one's own part.

    As every process computes the same loss of the whole, this is all there is of it.
    """

    @staticmethod
    def forward(ctx: Any, part: Tensor, bounds: list[int], rank: int) -> Tensor:
        ctx.rows = slice(bounds[rank], bounds[rank + 1])
        sizes = np.diff(bounds).tolist()
        padded = part.new_zeros(max(sizes), *part.shape[1:])
        padded[: len(part)] = part
        parts = [torch.empty_like(padded) for _ in sizes]
        with _clear_words():
            dist.all_gather(parts, padded)
        return torch.cat([p[:n] for p, n in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.rows].contiguous(), None, None


class _Summed(torch.autograd.Function):
    """The sum over all processes; so is the gradient, as each of them takes part in all losses."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _all_reduce(values.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _all_reduce(gradient.clone().contiguous())


def _all_reduce(values: Tensor) -> Tensor:
    with _clear_words():
        dist.all_reduce(values)
    return values


@contextmanager
def _clear_words() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            "A process that trains together with this one no longer answers: its own message tells "
            "why. Start all of them again; with checkpoint='FOLDER' the fit goes on."
        ) from error


class _WholeBatchNorm:
    """Forward pass of a batch norm whose batch is spread over processes."""

    def forward(self: Any, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)  # type: ignore[misc]
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        dims = [0, *range(2, x.ndim)]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        n_mine = wide.new_full((1,), x.numel() / x.shape[1])
        summed = _Summed.apply(torch.cat([wide.sum(dims), n_mine]))
        n = summed[-1].detach()
        mean = summed[:-1] / n
        centered = wide - mean.view(shape)
        variance = _Summed.apply(centered.square().sum(dims)) / n
        y = centered * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach() * n / (n - 1))
        return y.to(x.dtype)

    @torch.no_grad()
    def _follow(self: Any, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        pace = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, pace)
        self.running_var.lerp_(variance, pace)


class _WholeBatchNorm1d(_WholeBatchNorm, nn.BatchNorm1d):
    pass


class _WholeBatchNorm2d(_WholeBatchNorm, nn.BatchNorm2d):
    pass


_SYNCED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _WholeBatchNorm1d,
    nn.BatchNorm2d: _WholeBatchNorm2d,
}
